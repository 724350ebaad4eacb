"""Batches of painted scenes for training, by worker processes where there are cores to spare."""

from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from training.compose import Mix, Scene, load_world, render, sample_scene


class SceneBatches(Dataset):
    """Batch number n, the same on every run: (scenes, RGB uint8 [batch, 256, 256, 3])."""

    def __init__(self, atlas: Path, mix: Mix, flat_share: float, jitter: float, batch: int, batches: int, seed: int):
        self.atlas, self.concepts = load_world(atlas)
        self.mix, self.flat_share, self.jitter = mix, flat_share, jitter
        self.batch, self.batches, self.seed = batch, batches, seed

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, number: int) -> tuple[list[Scene], torch.Tensor]:
        rng = np.random.default_rng([self.seed, number])
        scenes = [sample_scene(rng, self.atlas, self.concepts, self.mix, self.flat_share) for _ in range(self.batch)]
        pictures = np.stack([render(s, rng, self.atlas, self.jitter) for s in scenes])
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
    """Endless RGB uint8 tensors [batch, 256, 256, 3]."""
    return iter(DataLoader(Endless(batches), batch_size=None, num_workers=workers))


def numbered(batches: SceneBatches, numbers: list[int], workers: int):
    """(scenes, pictures) of these batch numbers, in their order."""
    return DataLoader(batches, batch_size=None, sampler=numbers, num_workers=workers)
