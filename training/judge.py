"""The judge: a small CNN that says what is in a picture, trained on real renders only.

It sees packs that the generator never saw, too, at random sizes, places, crops and plain backgrounds; UNSEEN_STYLE it
never sees: how well it names those drawings says how far its word goes. It names one concept among C, and how many
things there are (1 to 4). `--without` leaves out styles: a judge that never saw the drawings which the generator
learned from is a stricter one.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from training.compose import BACKGROUNDS, TINTS, Atlas, Item, Scene, load_world, over, pick, render, resized
from training.data import UNSEEN_STYLE
from training.train_autoencoder import to_tensor

INPUT_PX = 64
BATCH = 64


class Judge(nn.Module):
    """[B, 3, 64, 64] in [-1, 1] to (concept logits [B, C], count logits [B, 4])."""

    def __init__(self, concepts: int, width: float = 1.0):
        super().__init__()
        widths = [3, *(int(width * w) for w in (32, 64, 128, 192))]
        last = int(width * 256)
        layers: list[nn.Module] = []
        for before, after in zip(widths, widths[1:]):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.SiLU(), nn.MaxPool2d(2)]
        self.trunk = nn.Sequential(*layers, nn.Conv2d(widths[-1], last, 3, padding=1), nn.BatchNorm2d(last), nn.SiLU())
        self.concept = nn.Linear(2 * last, concepts)
        self.count = nn.Linear(2 * last, 4)

    def forward(self, x):
        h = self.trunk(x)
        h = torch.cat([h.mean((2, 3)), h.amax((2, 3))], 1)
        return self.concept(h), self.count(h)


def shrink(pictures: np.ndarray) -> torch.Tensor:
    """RGB uint8 [B, 256, 256, 3] to what the judge sees."""
    return F.adaptive_avg_pool2d(to_tensor(pictures), INPUT_PX)


class Practice:
    """Real renders of some styles: pictures at the judge's size, concept ids, counts less one."""

    def __init__(self, atlas_path: Path, styles: list[str]):
        self.atlas, self.concepts = load_world(atlas_path)
        self.styles = styles

    def batch(self, rng: np.random.Generator, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        pictures, named, counts = [], [], []
        while len(pictures) < size:
            style, concept = pick(rng, self.styles), pick(rng, self.concepts)
            if not self.atlas.has(concept.name, style):
                continue
            count = 1 if rng.random() < 0.6 else int(rng.integers(2, 5))
            background = "white" if rng.random() < 0.5 else pick(rng, list(BACKGROUNDS))
            tint = pick(rng, list(TINTS)) if concept.tintable and rng.random() < 0.4 else None
            scene = Scene((Item(concept.name, tint),), count, None, style, background, shift=(0, 0))
            picture = (loose(scene, rng, self.atlas) if count == 1
                       else over(render(scene, rng, self.atlas, 1.0, 0.4, INPUT_PX)))
            noisy = picture.astype(np.float32) + rng.normal(0, rng.uniform(0, 8), picture.shape)
            pictures.append(noisy.clip(0, 255).astype(np.uint8))
            named.append(self.atlas.names.index(concept.name))
            counts.append(count - 1)
        return to_tensor(np.stack(pictures)), torch.tensor(named), torch.tensor(counts)


def loose(scene: Scene, rng: np.random.Generator, atlas: Atlas) -> np.ndarray:
    """One thing, anywhere, at 55 to 98 % of the picture, sometimes blurred: RGB uint8 at the judge's size."""
    size_px = int(INPUT_PX * rng.uniform(0.42, 0.98))
    sprite = atlas.sprite(scene.items[0].concept, scene.style, scene.items[0].colour)
    if rng.random() < 0.4:
        sprite = sprite[:, ::-1]
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--atlas", type=Path, required=True, help="judge-atlas.npz, with every style")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=6, help="of processor time; on a GPU of the clock")
    parser.add_argument("--without", nargs="*", default=[], help="styles to leave out")
    parser.add_argument("--width", type=float, default=1.0, help="of its layers")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--resume", type=Path, help="go on from a judge's weights")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    first = Practice(options.atlas, [])
    styles = [s for s in first.atlas.styles if s not in (*options.without, UNSEEN_STYLE)]
    first.styles = styles
    judge = Judge(len(first.atlas.names), options.width).to(options.device, memory_format=torch.channels_last)
    if options.resume and options.resume.exists():
        judge.load_state_dict(torch.load(options.resume)["judge"])
    optimiser = torch.optim.AdamW(judge.parameters(), lr=3e-3, weight_decay=0.02)
    batches = iter(DataLoader(Lessons(first, options.seed), batch_size=None, num_workers=options.workers))
    clock = time.process_time if options.device == "cpu" else time.time
    began, step = clock(), 0
    while (progress := (clock() - began) / 60 / options.minutes) < 1:
        optimiser.param_groups[0]["lr"] = 3e-3 * min(1, (step + 1) / 30) * max(0.02, 1 - progress)
        pictures, concepts, counts = (part.to(options.device) for part in next(batches))
        named, counted = judge(pictures)
        loss = F.cross_entropy(named, concepts, label_smoothing=0.05) + F.cross_entropy(counted, counts)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 100 == 0:
            right = (named.argmax(1) == concepts).float().mean()
            print(f"{progress:.2f} step {step} loss {loss.item():.3f} right {right:.2f}", flush=True)
            if step % 400 == 0:
                torch.save({"judge": judge.state_dict(), "names": first.atlas.names, "width": options.width},
                           options.out.with_suffix(".half"))
    judge.to("cpu").eval()
    marks = {"seen styles": real_marks(judge, first), "of it never seen": {}}
    first.styles = [UNSEEN_STYLE]
    marks["of it never seen"] = real_marks(judge, first)
    print(f"fresh real renders: {marks}")
    torch.save({"judge": judge.state_dict(), "names": first.atlas.names, "width": options.width, "styles": styles,
                "real": marks}, options.out)


class Lessons(IterableDataset):
    """Endless batches."""

    def __init__(self, practice: Practice, seed: int):
        self.practice, self.seed = practice, seed

    def __iter__(self):
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            yield self.practice.batch(rng, BATCH)


@torch.no_grad()
def real_marks(judge: Judge, practice: Practice) -> dict[str, float]:
    """Shares of fresh real renders that the judge gets right."""
    rng = np.random.default_rng(99)
    right = top5 = counted_right = total = 0
    for _ in range(20):
        pictures, concepts, counts = practice.batch(rng, BATCH)
        named, counted = judge(pictures)
        right += int((named.argmax(1) == concepts).sum())
        top5 += int((named.topk(5).indices == concepts[:, None]).sum())
        counted_right += int((counted.argmax(1) == counts).sum())
        total += len(concepts)
    return {"top-1": right / total, "top-5": top5 / total, "count": counted_right / total}


def load_judge(path: Path) -> tuple[Judge, dict]:
    """A judge, and what its file says of it."""
    stored = torch.load(path, map_location="cpu")
    judge = Judge(len(stored["names"]), stored["width"])
    judge.load_state_dict(stored["judge"])
    return judge.eval(), stored


if __name__ == "__main__":
    main()
