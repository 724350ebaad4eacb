"""A library of encoded things, and scenes put together from it.

Things stand on the latent's tiles, so the latent of a scene is, nearly, the latents of its things side by side on
an empty ground: nothing has to be painted or encoded for each pair. A shard, library-00000.npz, holds for a few
hundred (concept, style, colour, ground) each thing large, `large` float16 [N, C, S, S], and small, `small` [N, C, S/2, S/2];
`grounds` [G, C, S, S] are the empty pictures in the order of compose.GROUNDS.
"""

import argparse
import os
import pickle
import time
import tomllib
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from training import compose
from training.compose import GROUNDS, LARGE, SMALL, TILES, Item, Mix, Place, Scene, load_world, sample_scene
from training.precision import mixed
from training.train_autoencoder import build, load, to_tensor

SHARD_GROUPS = 50
GROUP = 4  # four small things fill one picture
Entry = tuple[str, str, str | None, str]  # concept, style, colour, ground


def plan(atlas: compose.Atlas, concepts: list[compose.Concept], rounds: int, seed: int) -> list[tuple[list[Entry], int]]:
    """Groups of entries on one ground, with the number of their round. Each round holds every sprite once: first on
    white, then transparent, then on colours; after every second round comes one of tints."""
    rng = np.random.default_rng([seed, 17])
    sprites = [(c.name, s) for c in concepts for s in atlas.styles if atlas.has(c.name, s)]
    tintable = [(c.name, s) for c in concepts if c.tintable for s in atlas.styles if atlas.has(c.name, s)]
    groups: list[tuple[list[Entry], int]] = []

    def deal(things: list[tuple[str, str, str | None]], ground: str | None, number: int) -> None:
        order = [things[i] for i in rng.permutation(len(things))]
        order += order[:-len(order) % GROUP]
        for start in range(0, len(order), GROUP):
            here = ground or list(compose.BACKGROUNDS)[int(rng.integers(1, len(compose.BACKGROUNDS)))]
            four = [(*thing, here) for thing in order[start:start + GROUP]]
            kept = [e for e in four if not _wrong(e, atlas)]
            if kept:
                groups.append(((kept * GROUP)[:GROUP], number))

    for number in range(rounds):
        plain = [(*sprite, None) for sprite in sprites]
        deal(plain, {0: compose.WHITE, 1: compose.TRANSPARENT}.get(number, None), number)
        if number % 2 == 0:
            tints = [(c, s, t) for c, s in tintable for t in compose.TINTS if t != atlas.natural[(c, s)]]
            deal(tints, compose.WHITE if number == 0 else None, number)
    return groups


def _wrong(entry: Entry, atlas: compose.Atlas) -> bool:
    concept, style, colour, ground = entry
    return (compose.is_held_out(Scene((Item(concept, colour),), background=ground))
            or ground == (colour or atlas.natural[(concept, style)]))


class Groups(Dataset):
    """Group n, the same on every run: its five pictures, premultiplied RGBA uint8 [5, 256, 256, 4]: four large, four small."""

    def __init__(self, atlas_path: Path, groups: list[tuple[list[Entry], int]], recipe: dict, seed: int):
        self.atlas, concepts = load_world(atlas_path)
        self.fixed = {c.name for c in concepts if not c.mirrors}
        self.groups, self.recipe, self.seed = groups, recipe, seed

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, number: int) -> torch.Tensor:
        entries, number_of_round = self.groups[number]
        rng = np.random.default_rng([self.seed, number])
        together = compose.blank(entries[0][3])
        pictures = []
        for i, (concept, style, colour, ground) in enumerate(entries):
            sprite = self.atlas.sprite(concept, style, colour)
            # The first round shows everything as it is; mirrored things come later.
            if number_of_round > 1 and concept not in self.fixed and rng.random() < self.recipe["mirror"]:
                sprite = sprite[:, ::-1]
            alone = compose.blank(ground)
            compose.paste(alone, sprite, Place(1, 1, LARGE), rng, self.recipe["jitter"])
            compose.paste(together, sprite, Place(i % 2 * SMALL, i // 2 * SMALL, SMALL), rng, self.recipe["jitter"])
            pictures.append(alone)
        return torch.from_numpy(np.clip(np.stack([*pictures, together]) + 0.5, 0, 255).astype(np.uint8))


class Library:
    """All shards found so far."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.known: set[str] = set()
        self.rows: dict[Entry, list[tuple[int, int]]] = {}
        self.shards: list[tuple[np.ndarray, np.ndarray]] = []
        self.grounds: dict[str, np.ndarray] = {}

    def refresh(self) -> int:
        """Read new shards; returns how many encoded things there are."""
        for path in sorted(self.folder.glob("library-*.npz")):
            if path.name in self.known:
                continue
            self.known.add(path.name)
            shard = np.load(path)
            for i, entry in enumerate(pickle.loads(shard["entries"].tobytes())):
                self.rows.setdefault(entry, []).append((len(self.shards), i))
            self.shards.append((shard["large"], shard["small"]))
            self.grounds = dict(zip(GROUNDS, shard["grounds"]))
        return sum(len(large) for large, _ in self.shards)

    def has(self, item: Item, style: str, ground: str) -> bool:
        return (item.concept, style, item.colour, ground) in self.rows

    def latent(self, scene: Scene, rng: np.random.Generator) -> np.ndarray:
        """float16 [C, S, S]."""
        result = self.grounds[scene.background].copy()
        fine = result.shape[-1] // TILES
        one = None
        for item, place in zip(compose.cast(scene), compose.places(scene)):
            rows = self.rows[(item.concept, scene.style, item.colour, scene.background)]
            if one is None or len(scene.items) > 1:  # two cats are the same cat twice
                one = rows[int(rng.integers(len(rows)))]
            shard, row = one
            if place.tiles == LARGE:
                _lay(result, self.shards[shard][0][row], fine * (place.column - 1), fine * (place.row - 1))
            else:
                _lay(result, self.shards[shard][1][row], fine * place.column, fine * place.row)
        return result

    def draw(self, rng: np.random.Generator, world: tuple, batch: int, mix: Mix,
             wander: float) -> tuple[np.ndarray, list[Scene]]:
        """float16 latents [batch, C, S, S] and their scenes."""
        scenes = [sample_scene(rng, *world, mix, wander, has=self.has) for _ in range(batch)]
        return np.stack([self.latent(s, rng) for s in scenes]), scenes


def _lay(ground: np.ndarray, latent: np.ndarray, right: int, down: int) -> None:
    """Lay a thing's latent over the ground, so many cells from the left and the top; what sticks out is cut off."""
    def spans(by, length):
        return slice(max(by, 0), min(by + length, ground.shape[-1])), slice(max(-by, 0), min(length, ground.shape[-1] - by))

    (to_columns, from_columns), (to_rows, from_rows) = spans(right, latent.shape[-1]), spans(down, latent.shape[-2])
    ground[:, to_rows, to_columns] = latent[:, from_rows, from_columns]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--atlas", type=Path, required=True)
    parser.add_argument("--autoencoder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, help="instead of the configuration's")
    parser.add_argument("--part", default="0/1", help="I/N: every N-th shard from the I-th on, so that two can work at once")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0, help="processes that paint; 0 paints in this one")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config = tomllib.loads(options.config.read_text())
    encoder, decoder = build(config["model"], options.device)
    load(options.autoencoder, encoder, decoder)
    recipe = config["library"]
    atlas, concepts = load_world(options.atlas)
    groups = plan(atlas, concepts, options.rounds or recipe["rounds"], options.seed)
    painted = Groups(options.atlas, groups, recipe, options.seed)
    options.out.mkdir(parents=True, exist_ok=True)

    @torch.no_grad()
    def encode(pictures: torch.Tensor) -> torch.Tensor:
        with mixed(options.device):
            return encoder(to_tensor(pictures, options.device)).half().cpu()

    blanks = np.stack([compose.blank(g) for g in GROUNDS]).astype(np.uint8)
    grounds = encode(torch.from_numpy(blanks)).numpy()
    first, stride = map(int, options.part.split("/"))
    shards = -(-len(groups) // SHARD_GROUPS)
    missing = [n for n in range(first, shards, stride) if not shard_path(options.out, n).exists()]
    members = [list(range(n * SHARD_GROUPS, min(len(groups), (n + 1) * SHARD_GROUPS))) for n in missing]
    began = time.time()
    for number, numbers, pictures in zip(missing, members, DataLoader(painted, batch_sampler=members,
                                                                      num_workers=options.workers)):
        latents = torch.cat([encode(chunk) for chunk in pictures.flatten(0, 1).split(recipe["batch"])])
        latents = latents.unflatten(0, (-1, GROUP + 1))
        half = latents.shape[-1] // 2
        small = latents[:, GROUP].unflatten(-1, (2, half)).unflatten(-3, (2, half))  # [groups, C, 2, half, 2, half]
        small = small.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)
        entries = [entry for n in numbers for entry in groups[n][0]]
        path = shard_path(options.out, number)
        half_written = path.with_name(f"half-{path.name}")
        np.savez(half_written, large=latents[:, :GROUP].flatten(0, 1).numpy(), small=small.numpy(), grounds=grounds,
                 entries=np.frombuffer(pickle.dumps(entries), np.uint8))
        os.replace(half_written, path)
        if number % 5 == 0:
            print(f"{time.time() - began:.0f}s shard {number} of {shards}", flush=True)
    if stride == 1:
        (options.out / "done").touch()


def shard_path(folder: Path, number: int) -> Path:
    return folder / f"library-{number:05d}.npz"


if __name__ == "__main__":
    main()
