"""Train the upscaler on pieces of drawings: at half the size, clean or as the autoencoder gives them back, to whole.

The packs hold vector drawings, rendered here at 512 pixels, and pictures of 256, which are used at no more than that.
"""

import argparse
import math
import time
import tomllib
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from training import compose
from training.compose import pick
from training.autoencoder import picture_loss
from training.data import drawer, load_concepts, pack_of, premultiply
from training.optimiser import set_learning_rate
from training.precision import mixed
from training.train_autoencoder import build, load, make_optimiser, schedule, to_tensor
from training.upscaler import Upscaler

SOURCE_PX = 512
CROP_PX = 128  # of the small picture
CHECKPOINT_BATCHES = 100
MOST_KEPT = 500  # rendered drawings that one process keeps, a megabyte each


class Details(IterableDataset):
    """Endless windows of 256 px into pictures of 512 px, premultiplied RGBA uint8 [256, 256, 4]."""

    def __init__(self, packs: Path, styles: list[str], seed: int):
        self.packs, self.styles, self.seed = packs, styles, seed
        self.codes = [c.code for c in load_concepts()]

    def __iter__(self):
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        draw = {style: drawer(self.packs, pack_of(style), SOURCE_PX) for style in self.styles}
        kept: dict[tuple[str, str], np.ndarray] = {}
        while True:
            style = pick(rng, self.styles)
            canvas = compose.blank(pick(rng, compose.GROUNDS), 2 * CROP_PX)
            # Rendering is dear: most pictures are of what is there already.
            known = list(kept) if kept and rng.random() < 0.8 else None
            style, code = pick(rng, known) if known else (style, pick(rng, self.codes))
            if (style, code) not in kept:
                image = draw[style](code)
                if image is None:
                    continue
                if len(kept) >= MOST_KEPT:
                    kept.pop(next(iter(kept)))
                kept[(style, code)] = premultiply(image)
            sprite = kept[(style, code)]
            # A small thing whole, or the piece of a large one that a window of 256 px shows.
            size_px = 2 * compose.SMALL_PX if rng.random() < 0.5 or sprite.shape[0] < SOURCE_PX else 12 * compose.TILE_PX
            sprite = compose.resized(sprite, size_px)
            reach = abs(2 * CROP_PX - size_px)
            left, top = (int(v) for v in rng.integers(0, reach + 1, 2))
            if size_px > 2 * CROP_PX:
                sprite, left, top = sprite[top:top + 2 * CROP_PX, left:left + 2 * CROP_PX], 0, 0
            area = canvas[top:top + sprite.shape[0], left:left + sprite.shape[1]]
            area *= 1 - sprite[..., 3:] / 255
            area += sprite
            yield torch.from_numpy(np.clip(canvas + 0.5, 0, 255).astype(np.uint8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--packs", type=Path, required=True)
    parser.add_argument("--autoencoder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--resume", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    torch.set_float32_matmul_precision("high")
    config = tomllib.loads(options.config.read_text())
    model, recipe = config["model"], config["train_upscaler"]
    encoder, decoder = build(model, options.device)
    load(options.autoencoder, encoder, decoder)
    upscaler = Upscaler(model["upscaler_width"], model["upscaler_blocks"]).to(options.device, memory_format=torch.channels_last)
    seen = 0
    if options.resume and options.resume.exists():
        stored = torch.load(options.resume, map_location="cpu")
        upscaler.load_state_dict(stored["upscaler"])
        seen = stored["seen"]
    optimiser = make_optimiser([upscaler], recipe)
    details = Details(options.packs, config["data"]["styles"], options.seed + seen)
    painted = iter(DataLoader(details, batch_size=recipe["batch"], num_workers=options.workers))
    began, average, plain, step = time.time(), None, 0.0, 0
    while (progress := (time.time() - began) / (60 * options.minutes)) < 1:
        set_learning_rate(optimiser, schedule(step, progress, recipe))
        wanted = to_tensor(next(painted), options.device)
        small = F.avg_pool2d(wanted, 2)
        with mixed(options.device):
            if step % 2:
                with torch.no_grad():
                    small = decoder(encoder(small)).float().clamp(-1, 1)
            output = upscaler(small)
        output = output.float()
        loss = picture_loss(output, wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        seen += len(wanted)
        if step % 2:  # the clean half says how well it magnifies
            error = F.mse_loss(output.detach().clamp(-1, 1), wanted).item()
            doubled = F.mse_loss(F.interpolate(small, scale_factor=2, mode="bilinear"), wanted).item()
            average = error if average is None else 0.95 * average + 0.05 * error
            plain = doubled if not plain else 0.95 * plain + 0.05 * doubled
        if step % 20 == 0:
            print(f"{time.time() - began:.0f}s seen {seen} loss {loss.item():.4f} psnr {10 * math.log10(4 / average):.2f}, "
                  f"bilinear {10 * math.log10(4 / plain):.2f}", flush=True)
        if step % CHECKPOINT_BATCHES == 0:
            torch.save({"upscaler": upscaler.state_dict(), "seen": seen}, options.out.with_suffix(".half"))
    torch.save({"upscaler": upscaler.state_dict(), "seen": seen}, options.out)
    print(f"done: {seen} pieces", flush=True)


if __name__ == "__main__":
    main()
