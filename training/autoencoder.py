"""The convolutional autoencoder: a picture [B, 3, 256, 256] in [-1, 1] to a latent [B, 32, 8, 8] and back."""

import torch
from torch import nn
from torch.nn import functional as F


class ResBlock(nn.Module):
    """x + conv2(SiLU(conv1(x))), both 3x3."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.bias)
        with torch.no_grad():
            self.conv2.weight.mul_(0.2)

    def forward(self, x):
        return x + self.conv2(F.silu(self.conv1(x)))


class Encoder(nn.Module):
    """[B, 3, 8*s*4, ...] to [B, latent_channels, s, s]; every downsampling is a pixel-unshuffle."""

    def __init__(self, widths: list[int], latent_channels: int):
        super().__init__()
        self.input = nn.Conv2d(3 * 64, widths[0], 3, padding=1)
        self.stage0 = nn.ModuleList([ResBlock(widths[0])])
        self.down0 = nn.Conv2d(4 * widths[0], widths[1], 1)
        self.stage1 = nn.ModuleList([ResBlock(widths[1])])
        self.down1 = nn.Conv2d(4 * widths[1], widths[2], 1)
        self.stage2 = nn.ModuleList([ResBlock(widths[2])])
        self.output = nn.Conv2d(widths[2], latent_channels, 1)

    def forward(self, x):
        x = self.stage0[0](self.input(F.pixel_unshuffle(x, 8)))
        x = self.stage1[0](self.down0(F.pixel_unshuffle(x, 2)))
        x = self.stage2[0](self.down1(F.pixel_unshuffle(x, 2)))
        return self.output(x)


class Decoder(nn.Module):
    """[B, latent_channels, s, s] to [B, 3, 32*s, 32*s]; every upsampling is a pixel-shuffle."""

    def __init__(self, widths: list[int], blocks: list[int], latent_channels: int):
        super().__init__()
        self.input = nn.Conv2d(latent_channels, widths[0], 1)
        for stage, (width, count) in enumerate(zip(widths, blocks)):
            setattr(self, f"stage{stage}", nn.ModuleList([ResBlock(width) for _ in range(count)]))
        for stage, (width, following) in enumerate(zip(widths, widths[1:])):
            setattr(self, f"up{stage}", nn.Conv2d(width, 4 * following, 1))
        self.output = nn.Conv2d(widths[-1], 3 * 16, 3, padding=1)
        self.stages = len(widths)

    def forward(self, z):
        x = self.input(z)
        for stage in range(self.stages):
            for block in getattr(self, f"stage{stage}"):
                x = block(x)
            if stage + 1 < self.stages:
                x = F.pixel_shuffle(getattr(self, f"up{stage}")(x), 2)
        return F.pixel_shuffle(self.output(x), 4)


def picture_loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """L1 of the pixels and of their differences, which is what keeps edges sharp."""
    def differences(x):
        return x[..., :, 1:] - x[..., :, :-1], x[..., 1:, :] - x[..., :-1, :]

    loss = F.l1_loss(output, target)
    for ours, theirs in zip(differences(output), differences(target)):
        loss = loss + F.l1_loss(ours, theirs)
    return loss


@torch.no_grad()
def fold_whitening(encoder: Encoder, decoder: Decoder, mean: torch.Tensor, whiten: torch.Tensor) -> None:
    """Make the latent z' = whiten @ (z - mean): the encoder puts it out, the decoder takes it in.

    mean [C]; whiten [C, C].
    """
    channels = len(mean)
    weight = encoder.output.weight.view(channels, -1)
    encoder.output.bias.copy_(whiten @ (encoder.output.bias - mean))
    encoder.output.weight.copy_((whiten @ weight).view_as(encoder.output.weight))
    inside = decoder.input.weight.view(-1, channels)
    decoder.input.bias.add_(inside @ mean)
    decoder.input.weight.copy_((inside @ torch.linalg.inv(whiten)).view_as(decoder.input.weight))


def whitening(latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean [C] and a symmetric whitening matrix [C, C] of latents [N, C, H, W]."""
    flat = latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1]).double()
    mean = flat.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov((flat - mean).T))
    whiten = vectors @ torch.diag((values + 1e-4 * values.max()).rsqrt()) @ vectors.T
    return mean.float(), whiten.float()
