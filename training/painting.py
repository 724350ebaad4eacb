"""Batches of painted scenes for training, by worker processes where there are cores to spare."""

from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from training.compose import Mix, Scene, load_world, render, sample_scene


class SceneBatches(Dataset):
    """Batch number n, the same on every run: (scenes, premultiplied RGBA uint8 [batch, 256, 256, 4])."""

    def __init__(self, atlas: Path, mix: Mix, jitter: float, mirror: float, transparent: float, batch: int, batches: int, seed: int):
        self.atlas, self.concepts = load_world(atlas)
        self.fixed = frozenset(c.name for c in self.concepts if not c.mirrors)
        self.mix, self.jitter, self.mirror, self.transparent = mix, jitter, mirror, transparent
        self.batch, self.batches, self.seed = batch, batches, seed

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, number: int) -> tuple[list[Scene], torch.Tensor]:
        rng = np.random.default_rng([self.seed, number])
        scenes = [sample_scene(rng, self.atlas, self.concepts, self.mix, transparent=self.transparent) for _ in range(self.batch)]
        pictures = np.stack([render(s, rng, self.atlas, self.jitter, self.mirror, fixed=self.fixed)
                             for s in scenes])
        return scenes, torch.from_numpy(pictures)


class Endless(IterableDataset):
    """All batches of a `SceneBatches`, shared out among the workers, without end."""

    def __init__(self, batches: SceneBatches):
        self.batches = batches

    def __iter__(self):
        worker = get_worker_info()
        number, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        while True:
            yield self.batches[number][1]
            number += stride


def endless_pictures(batches: SceneBatches, workers: int):
    """Endless RGBA uint8 tensors [batch, 256, 256, 4]."""
    return iter(DataLoader(Endless(batches), batch_size=None, num_workers=workers))
