"""The upscaler: a picture [B, 4, H, W] in [-1, 1] to [B, 4, 2H, 2W], about a million numbers.

It works on 2 x 2 pixels at once and adds its correction to the picture with every pixel doubled.
"""

import torch
from torch import nn
from torch.nn import functional as F

from training.autoencoder import ResBlock

CHANNELS = 4


class Upscaler(nn.Module):
    def __init__(self, width: int, blocks: int):
        super().__init__()
        self.input = nn.Conv2d(CHANNELS * 4, width, 3, padding=1)
        self.blocks = nn.ModuleList([ResBlock(width) for _ in range(blocks)])
        self.output = nn.Conv2d(width, CHANNELS * 16, 3, padding=1)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.input(F.pixel_unshuffle(x, 2))
        for block in self.blocks:
            h = block(h)
        return F.interpolate(x, scale_factor=2, mode="nearest") + F.pixel_shuffle(self.output(h), 4)
