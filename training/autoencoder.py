"""The convolutional autoencoder: a picture [B, 4, 256, 256] in [-1, 1] to a latent [B, 32, 8, 8] and back.

The four channels are red, green and blue, premultiplied, and alpha. (The first weights had three.)
"""

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
    """[B, picture_channels, 4*patch*s, ...] to [B, latent_channels, s, s]; every downsampling is a pixel-unshuffle."""

    def __init__(self, widths: list[int], latent_channels: int, picture_channels: int = 4, patch: int = 8):
        super().__init__()
        self.patch = patch
        self.input = nn.Conv2d(picture_channels * patch**2, widths[0], 3, padding=1)
        self.stage0 = nn.ModuleList([ResBlock(widths[0])])
        self.down0 = nn.Conv2d(4 * widths[0], widths[1], 1)
        self.stage1 = nn.ModuleList([ResBlock(widths[1])])
        self.down1 = nn.Conv2d(4 * widths[1], widths[2], 1)
        self.stage2 = nn.ModuleList([ResBlock(widths[2])])
        self.output = nn.Conv2d(widths[2], latent_channels, 1)

    def forward(self, x):
        x = self.stage0[0](self.input(F.pixel_unshuffle(x, self.patch)))
        x = self.stage1[0](self.down0(F.pixel_unshuffle(x, 2)))
        x = self.stage2[0](self.down1(F.pixel_unshuffle(x, 2)))
        return self.output(x)


class Decoder(nn.Module):
    """[B, latent_channels, s, s] to [B, picture_channels, 4*patch*s, ...]; every upsampling is a pixel-shuffle."""

    def __init__(self, widths: list[int], blocks: list[int], latent_channels: int, picture_channels: int = 4,
                 patch: int = 8):
        super().__init__()
        self.input = nn.Conv2d(latent_channels, widths[0], 1)
        for stage, (width, count) in enumerate(zip(widths, blocks)):
            setattr(self, f"stage{stage}", nn.ModuleList([ResBlock(width) for _ in range(count)]))
        for stage, (width, following) in enumerate(zip(widths, widths[1:])):
            setattr(self, f"up{stage}", nn.Conv2d(width, 4 * following, 1))
        self.output = nn.Conv2d(widths[-1], picture_channels * (patch // 2) ** 2, 3, padding=1)
        self.stages = len(widths)
        self.last = patch // 2

    def forward(self, z):
        x = self.input(z)
        for stage in range(self.stages):
            for block in getattr(self, f"stage{stage}"):
                x = block(x)
            if stage + 1 < self.stages:
                x = F.pixel_shuffle(getattr(self, f"up{stage}")(x), 2)
        return F.pixel_shuffle(self.output(x), self.last)


def picture_loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """L1 of the pixels and of their differences, which is what keeps edges sharp."""
    def differences(x):
        return x[..., :, 1:] - x[..., :, :-1], x[..., 1:, :] - x[..., :-1, :]

    loss = F.l1_loss(output, target)
    for ours, theirs in zip(differences(output), differences(target)):
        loss = loss + F.l1_loss(ours, theirs)
    return loss


@torch.no_grad()
def add_alpha(encoder: dict, decoder: dict) -> None:
    """Give the weights of a three-channel autoencoder a fourth: not looked at, and always opaque; see `fit_alpha`."""
    old = encoder["input.weight"]
    encoder["input.weight"] = torch.cat([old, torch.zeros_like(old[:, :64])], 1)
    weight, bias = decoder["output.weight"], decoder["output.bias"]
    decoder["output.weight"] = torch.cat([weight, torch.zeros_like(weight[:16])])
    decoder["output.bias"] = torch.cat([bias, torch.ones(16)])


@torch.no_grad()
def fit_alpha(encoder: Encoder, decoder: Decoder, pictures: torch.Tensor) -> None:
    """Set what the last layer does for alpha to the best there is, by least squares, on pictures [B, 4, H, W]."""
    seen: list[torch.Tensor] = []
    hook = decoder.output.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    decoder(encoder(pictures))
    hook.remove()
    patches = F.unfold(seen[0], 3, padding=1).transpose(1, 2).flatten(0, 1).double()
    patches = torch.cat([patches, torch.ones_like(patches[:, :1])], 1)
    wanted = F.pixel_unshuffle(pictures[:, 3:], decoder.last).flatten(2).transpose(1, 2).flatten(0, 1).double()
    gram = patches.T @ patches
    ridge = 1e-6 * gram.diagonal().mean() * torch.eye(len(gram), device=gram.device, dtype=gram.dtype)
    fit = torch.linalg.solve(gram + ridge, patches.T @ wanted).T.float()
    rows = decoder.last**2
    decoder.output.weight[-rows:] = fit[:, :-1].view_as(decoder.output.weight[-rows:])
    decoder.output.bias[-rows:] = fit[:, -1]


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
