"""The judge: a small CNN that says what is in a picture, trained on real renders only.

It sees every pack, also those that the generator never saw, at random sizes, places, crops and plain
backgrounds. It names one concept among C, and how many things there are (1 to 4).
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from training.compose import BACKGROUNDS, TINTS, Atlas, Item, Scene, load_world, render, resized
from training.data import load_concepts
from training.train_autoencoder import to_tensor

INPUT_PX = 64


class Judge(nn.Module):
    """[B, 3, 64, 64] in [-1, 1] to (concept logits [B, C], count logits [B, 4])."""

    def __init__(self, concepts: int):
        super().__init__()
        widths = [3, 32, 64, 128, 192]
        layers: list[nn.Module] = []
        for before, after in zip(widths, widths[1:]):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.SiLU(), nn.MaxPool2d(2)]
        self.trunk = nn.Sequential(*layers, nn.Conv2d(192, 256, 3, padding=1), nn.BatchNorm2d(256), nn.SiLU())
        self.concept = nn.Linear(512, concepts)
        self.count = nn.Linear(512, 4)

    def forward(self, x):
        h = self.trunk(x)
        h = torch.cat([h.mean((2, 3)), h.amax((2, 3))], 1)
        return self.concept(h), self.count(h)


def shrink(pictures: np.ndarray) -> torch.Tensor:
    """RGB uint8 [B, 256, 256, 3] to what the judge sees."""
    return F.adaptive_avg_pool2d(to_tensor(pictures), INPUT_PX)


def practice(rng: np.random.Generator, atlas: Atlas, batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Real renders of every style: pictures at the judge's size, concept ids, counts less one."""
    pictures, concepts, counts = [], [], []
    names = list(BACKGROUNDS)
    tintable = {atlas.names.index(c.name) for c in load_concepts() if c.tintable}
    while len(pictures) < batch:
        style = atlas.styles[int(rng.integers(len(atlas.styles)))]
        concept = int(rng.integers(len(atlas.names)))
        if not atlas.has(atlas.names[concept], style):
            continue
        count = 1 if rng.random() < 0.6 else int(rng.integers(2, 5))
        background = "white" if rng.random() < 0.5 else names[int(rng.integers(len(names)))]
        tint = list(TINTS)[int(rng.integers(len(TINTS)))] if concept in tintable and rng.random() < 0.4 else None
        scene = Scene((Item(atlas.names[concept], tint),), count, None, style, background)
        if count == 1:
            picture = loose(scene, rng, atlas)
        else:
            picture = np.asarray(Image.fromarray(render(scene, rng, atlas)).reduce(256 // INPUT_PX))
        noisy = picture.astype(np.float32) + rng.normal(0, rng.uniform(0, 8), picture.shape)
        pictures.append(noisy.clip(0, 255).astype(np.uint8))
        concepts.append(concept)
        counts.append(count - 1)
    return to_tensor(np.stack(pictures)), torch.tensor(concepts), torch.tensor(counts)


def loose(scene: Scene, rng: np.random.Generator, atlas: Atlas) -> np.ndarray:
    """One thing, anywhere, at 55 to 98 % of the picture, sometimes blurred: RGB uint8 at the judge's size."""
    size_px = int(INPUT_PX * rng.uniform(0.55, 0.98))
    sprite = atlas.sprite(scene.items[0].concept, scene.style, scene.items[0].colour)
    if rng.random() < 0.5:  # through a smaller size, as a soft decoder would draw it
        sprite = resized(sprite, int(rng.integers(24, 65))).astype(np.uint8)
    sprite = resized(np.ascontiguousarray(sprite), size_px)
    left, top = (int(v) for v in rng.integers(0, INPUT_PX - size_px + 1, 2))
    canvas = np.empty((INPUT_PX, INPUT_PX, 3), np.float32)
    canvas[:] = np.array(BACKGROUNDS[scene.background]) + rng.normal(0, 6, 3)
    area = canvas[top:top + size_px, left:left + size_px]
    area *= 1 - sprite[..., 3:] / 255
    area += sprite[..., :3]
    return canvas.clip(0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--atlas", type=Path, required=True, help="judge-atlas.npz, with every style")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--resume", type=Path, help="go on from a judge's weights")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    atlas, _ = load_world(options.atlas)
    rng = np.random.default_rng(options.seed)
    judge = Judge(len(atlas.names)).to(memory_format=torch.channels_last)
    if options.resume:
        judge.load_state_dict(torch.load(options.resume)["judge"])
    optimiser = torch.optim.AdamW(judge.parameters(), lr=3e-3, weight_decay=0.02)
    began, step = time.process_time(), 0
    while (progress := (time.process_time() - began) / 60 / options.minutes) < 1:
        optimiser.param_groups[0]["lr"] = 3e-3 * min(1, (step + 1) / 30) * max(0.02, 1 - progress)
        pictures, concepts, counts = practice(rng, atlas, 64)
        named, counted = judge(pictures)
        loss = F.cross_entropy(named, concepts) + F.cross_entropy(counted, counts)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 50 == 0:
            right = (named.argmax(1) == concepts).float().mean()
            print(f"{progress:.2f} step {step} loss {loss.item():.3f} right {right:.2f}", flush=True)
    judge.eval()
    right, counted_right, total = 0, 0, 0
    with torch.no_grad():
        for _ in range(20):
            pictures, concepts, counts = practice(rng, atlas, 64)
            named, counted = judge(pictures)
            right += int((named.argmax(1) == concepts).sum())
            counted_right += int((counted.argmax(1) == counts).sum())
            total += len(concepts)
    print(f"fresh real renders: concept {right / total:.3f}, count {counted_right / total:.3f} of {total}")
    torch.save({"judge": judge.state_dict(), "names": atlas.names, "real_top1": right / total,
                "real_count": counted_right / total}, options.out)


if __name__ == "__main__":
    main()
