"""A growing pool of encoded scenes: shards of latents and the scenes that they show.

Captions are not stored: the trainer words each scene anew every time it draws it.
Shard files: pool-00000.npz with latents float16 [N, C, S, S] and scenes, a pickled list of `Scene`.
"""

import argparse
import os
import pickle
import time
import tomllib
from pathlib import Path

import numpy as np
import torch

from training.compose import Mix, Scene
from training.painting import SceneBatches, numbered
from training.train_autoencoder import build, load, to_tensor

SHARD_SCENES = 500


class Pool:
    """All shards found so far, drawn from by kind of scene."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.known: set[str] = set()
        self.latents: list[np.ndarray] = []
        self.scenes: list[Scene] = []
        self.by_kind: dict[str, list[int]] = {"single": [], "count": [], "pair": [], "tint": []}

    def refresh(self) -> int:
        """Read new shards; returns how many scenes there are."""
        for path in sorted(self.folder.glob("pool-*.npz")):
            if path.name in self.known:
                continue
            self.known.add(path.name)
            shard = np.load(path)
            for latent, scene in zip(shard["latents"], pickle.loads(shard["scenes"].tobytes())):
                self.by_kind[kind_of(scene)].append(len(self.scenes))
                self.latents.append(latent)
                self.scenes.append(scene)
        return len(self.scenes)

    def draw(self, rng: np.random.Generator, batch: int, mix: Mix) -> tuple[np.ndarray, list[Scene]]:
        """float32 latents [batch, C, S, S] and their scenes, in the shares that `mix` asks for."""
        shares = np.array([mix.single, mix.count, mix.pair, mix.tint])
        kinds = rng.choice(list(self.by_kind), batch, p=shares / shares.sum())
        rows = [self.by_kind[k][int(rng.integers(len(self.by_kind[k])))] for k in kinds]
        return np.stack([self.latents[r] for r in rows]).astype(np.float32), [self.scenes[r] for r in rows]


def kind_of(scene: Scene) -> str:
    if scene.relation:
        return "pair"
    if scene.items[0].colour:
        return "tint"
    return "count" if scene.count > 1 else "single"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--atlas", type=Path, required=True)
    parser.add_argument("--autoencoder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=40000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0, help="processes that paint; 0 paints in this one")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config = tomllib.loads(options.config.read_text())
    encoder, decoder = build(config["model"], options.device)
    load(options.autoencoder, encoder, decoder)
    recipe = config["pool"]
    batches = SceneBatches(options.atlas, Mix(**recipe["mix"]), recipe["flat_share"], recipe["jitter"], SHARD_SCENES,
                           options.scenes // SHARD_SCENES, options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    began = time.time()
    missing = [n for n in range(len(batches)) if not shard_path(options.out, n).exists()]
    for number, (scenes, pictures) in zip(missing, numbered(batches, missing, options.workers)):
        with torch.no_grad():
            latents = torch.cat([encoder(to_tensor(chunk, options.device)).half().cpu() for chunk in pictures.split(20)])
        path = shard_path(options.out, number)
        half_written = path.with_name(f"half-{path.name}")
        np.savez(half_written, latents=latents.numpy(), scenes=np.frombuffer(pickle.dumps(scenes), np.uint8))
        os.replace(half_written, path)
        if number % 5 == 0:
            print(f"{time.time() - began:.0f}s {(number + 1) * SHARD_SCENES} scenes", flush=True)


def shard_path(folder: Path, number: int) -> Path:
    return folder / f"pool-{number:05d}.npz"


if __name__ == "__main__":
    main()
