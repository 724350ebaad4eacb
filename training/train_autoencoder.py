"""Train the autoencoder on composed scenes, then fold the whitening of its latents into its layers.

With `--decoder-only` it goes on from `--resume` with the encoder frozen, so that latents made before
stay valid, on latents with a little noise, like those that a generator makes.
"""

import argparse
import math
import time
import tomllib
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from training.autoencoder import Decoder, Encoder, add_alpha, fit_alpha, fold_whitening, picture_loss, whitening
from training.compose import Mix
from training.optimiser import Muon, set_learning_rate
from training.painting import SceneBatches, endless_pictures
from training.precision import mixed

CHECKPOINT_BATCHES = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--atlas", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0, help="processes that paint; 0 paints in this one")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", type=Path, help="weights to go on from; those of three channels get their fourth")
    parser.add_argument("--fit-alpha", action="store_true", help="where --resume had no alpha, begin with a good guess")
    parser.add_argument("--decoder-only", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    torch.set_float32_matmul_precision("high")
    config = tomllib.loads(options.config.read_text())
    recipe = config["train_decoder" if options.decoder_only else "train_autoencoder"]
    encoder, decoder = build(config["model"], options.device)
    before = load(options.resume, encoder, decoder) if options.resume else 0

    batch = recipe["batch"]
    painted = endless_pictures(SceneBatches(options.atlas, Mix(**recipe["mix"]), recipe["jitter"], recipe["mirror"],
                                            recipe["transparent"], batch, 0, options.seed), options.workers)
    if options.fit_alpha:
        fit_alpha(encoder, decoder, torch.cat([to_tensor(next(painted), options.device) for _ in range(4)]))
    encoder.requires_grad_(not options.decoder_only)
    optimiser = make_optimiser([decoder] if options.decoder_only else [encoder, decoder], recipe)
    began = time.time()
    seen = 0
    average = None
    while (progress := (time.time() - began) / (60 * options.minutes)) < 1:
        set_learning_rate(optimiser, schedule(seen / batch, progress, recipe))
        pictures = to_tensor(next(painted), options.device)
        with mixed(options.device):
            with torch.set_grad_enabled(not options.decoder_only):
                latent = encoder(pictures)
            spread = torch.rand(batch, 1, 1, 1, device=options.device) * recipe["latent_noise"] * latent.detach().std()
            output = decoder(latent + spread * torch.randn_like(latent))
        output = output.float()
        loss = picture_loss(output, pictures)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seen += batch
        error = F.mse_loss(output.detach().clamp(-1, 1), pictures).item()
        average = error if average is None else 0.97 * average + 0.03 * error
        if seen // batch % 10 == 0:
            print(f"{time.time() - began:.0f}s seen {seen} loss {loss.item():.4f} "
                  f"psnr {10 * math.log10(4 / average):.2f}", flush=True)
        if seen // batch % CHECKPOINT_BATCHES == 0:
            torch.save({"encoder": encoder.state_dict(), "decoder": decoder.state_dict(), "seen": before + seen},
                       options.out.with_suffix(".half"))

    if not options.decoder_only:
        with torch.no_grad():
            latents = torch.cat([encoder(to_tensor(next(painted), options.device))
                                 for _ in range(recipe["whiten_pictures"] // batch)])
        mean, whiten = whitening(latents)
        fold_whitening(encoder, decoder, mean.to(options.device), whiten.to(options.device))
    torch.save({"encoder": encoder.state_dict(), "decoder": decoder.state_dict(), "seen": before + seen}, options.out)
    print(f"done: {seen} pictures, psnr {10 * math.log10(4 / average):.2f}", flush=True)


def build(model: dict, device: str = "cpu") -> tuple[Encoder, Decoder]:
    shape = (model["latent_channels"], model.get("picture_channels", 3), model.get("patch", 8))
    encoder = Encoder(model["encoder_widths"], *shape)
    decoder = Decoder(model["decoder_widths"], model["decoder_blocks"], *shape)
    return (encoder.to(device, memory_format=torch.channels_last),
            decoder.to(device, memory_format=torch.channels_last))


def load(path: Path, encoder: Encoder, decoder: Decoder) -> int:
    """Fills both from a checkpoint; returns how many pictures it had seen."""
    weights = torch.load(path, map_location="cpu")
    if weights["encoder"]["input.weight"].shape[1] == 3 * 64 < encoder.input.in_channels:
        add_alpha(weights["encoder"], weights["decoder"])
    encoder.load_state_dict(weights["encoder"])
    decoder.load_state_dict(weights["decoder"])
    return weights.get("seen", 0)


def to_tensor(pictures: np.ndarray | torch.Tensor, device: str = "cpu") -> torch.Tensor:
    """uint8 [B, H, W, C] to float [-1, 1] [B, C, H, W], channels last in memory."""
    return torch.as_tensor(pictures).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def make_optimiser(modules: list[torch.nn.Module], recipe: dict) -> Muon:
    weights = [p for m in modules for p in m.parameters() if p.requires_grad]
    return Muon([{"params": [w for w in weights if w.ndim > 1], "muon": True, "lr": recipe["muon_lr"]},
                 {"params": [w for w in weights if w.ndim <= 1], "lr": recipe["adam_lr"]}])


def schedule(step: float, progress: float, recipe: dict) -> float:
    """Warm-up by steps, then full rate, then down along a cosine to 3 % by the deadline."""
    warm = min(1.0, (step + 1) / recipe["warmup_steps"])
    falling = max(0.0, (progress - recipe["hold"]) / (1 - recipe["hold"]))
    return warm * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * min(1.0, falling))))


if __name__ == "__main__":
    main()
