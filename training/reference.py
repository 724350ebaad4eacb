"""Reference vectors for the engine's tests, made by this code: the tiny model, and one picture of the real one.

tiny/ and tiny-alpha/: whole exported models with seeded random weights, and reference.safetensors with
  noise [2, C, S, S], ids.<i> [L], <sampler>.<step> [2, C, S, S] latents after each step,
  <sampler>.pixels [2, 3 or 4, P, P] in [-1, 1], and encoder.picture / encoder.latent for image-to-image;
  upscaler.pixels, of encoder.picture, where there is an upscaler.
mini-check.safetensors: ids, noise [1, 32, 8, 8] of that seed, latent [1, 32, 8, 8], pixels [1, 3, 64, 64], the
  decoded 256-pixel picture averaged over 4 x 4, clamped to [-1, 1]; the metadata holds the settings.
"""

import argparse
import json
import math
import tomllib
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file
from torch.nn import functional as F

from training import export
from training.generator import Model, pad_ids, sample
from training.noise import normal
from training.train_autoencoder import build
from training.upscaler import Upscaler
from training.words import Words, load_table, normalise

TINY_PROMPTS = ["two red cats on a blue background", "A dog's rocket, flying!"]
TINY_WORDS = ("a the of on in and one two three four red blue green yellow black white cat cats dog star stars heart "
              "apple rocket fly house background flat 3d next to above below left right picture").split()
STEPS, GUIDANCE = 4, 3.0


def load_exported(folder: Path):
    """(config of model.toml, Model, encoder, decoder, Words) from an exported folder, in float32."""
    config = tomllib.loads((folder / "model.toml").read_text())
    named = export.read(folder)
    model = Model(config, torch.from_numpy(load_table(folder)))
    model.load_state_dict({k: v for k, v in named.items() if k.startswith(("text.", "generator."))})
    encoder, decoder = build(config)
    for part, module in (("encoder.", encoder), ("decoder.", decoder)):
        module.load_state_dict({k.removeprefix(part): v for k, v in named.items() if k.startswith(part)})
    return config, model.eval(), encoder, decoder, Words.load(folder / "words.txt")


def load_upscaler(folder: Path) -> Upscaler | None:
    """The upscaler of an exported folder, in float32, if it has one."""
    config = tomllib.loads((folder / "model.toml").read_text())
    if "upscaler_width" not in config:
        return None
    upscaler = Upscaler(config["upscaler_width"], config["upscaler_blocks"])
    upscaler.load_state_dict({k.removeprefix("upscaler."): v for k, v in export.read(folder).items() if k.startswith("upscaler.")})
    return upscaler.eval()


@torch.no_grad()
def write_tiny(folder: Path, words_from: Path, config_path: Path) -> None:
    """A model of random weights small enough to commit, and what it must compute."""
    torch.manual_seed(7)
    config = tomllib.loads(config_path.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    full, table = Words.load(words_from / "words.txt"), load_table(words_from)
    rows = [full.index[w] for w in TINY_WORDS]
    small = np.concatenate([np.zeros((2, 64), np.float32), table[rows]])
    scale = (np.abs(small).max(0) / 127).astype(np.float32)
    (folder / "words.txt").write_text("\n".join(["<start>", "<pad>", *TINY_WORDS]) + "\n")
    save_numpy({"table": np.round(small / scale).astype(np.int8), "scale": scale}, folder / "words.safetensors")

    model = Model(config["model"], torch.from_numpy(load_table(folder)))
    encoder, decoder = build(config["model"])
    parts = [model, encoder, decoder]
    if "upscaler_width" in config["model"]:
        parts.append(Upscaler(config["model"]["upscaler_width"], config["model"]["upscaler_blocks"]))
    for module in parts:
        for weight in module.parameters():  # nothing may hide behind a zero or a one
            weight.add_(torch.randn_like(weight) * 0.05)
    export.write(folder, config, export.tensors(model.state_dict(), {"encoder": encoder.state_dict(),
                                                                     "decoder": decoder.state_dict()},
                                                parts[3].state_dict() if parts[3:] else None),
                 folder, {"seed": "7", "steps": "0"})

    settings, model, encoder, decoder, words = load_exported(folder)
    ids = [words.ids(p) for p in TINY_PROMPTS]
    size = settings["latent_size"]
    noise = torch.randn(2, settings["latent_channels"], size, size)
    result = {"noise": noise} | {f"ids.{i}": torch.tensor(row) for i, row in enumerate(ids)}
    for sampler in ("euler", "heun"):
        trace: list[torch.Tensor] = []
        latent = sample(model, pad_ids(ids), noise, STEPS, GUIDANCE, sampler, trace=trace)
        result |= {f"{sampler}.{i}": x for i, x in enumerate(trace)}
        result[f"{sampler}.pixels"] = decoder(latent)
    edge = settings["size"]
    picture = torch.rand(1, settings.get("picture_channels", 3), edge, edge) * 2 - 1
    if upscaler := load_upscaler(folder):
        result["upscaler.pixels"] = upscaler(picture)
    result |= {"encoder.picture": picture, "encoder.latent": encoder(picture)}
    result = {k: v.contiguous() for k, v in result.items()}
    save_file(result, folder / "reference.safetensors",
              {"prompts": json.dumps(TINY_PROMPTS), "steps": str(STEPS), "guidance": str(GUIDANCE), "shift": "1.0"})
    cases = ["Two RED cats!", "a dog's house", "café ½ rockets", "flying", "stars; heart-shaped", "don't"]
    (folder / "words-cases.json").write_text(json.dumps(
        [{"prompt": c, "words": normalise(c), "ids": words.ids(c)} for c in cases], indent=1, ensure_ascii=False) + "\n")


@torch.no_grad()
def write_check(model_folder: Path, out: Path, prompt: str, seed: int) -> None:
    """One picture of the real weights."""
    settings, model, _, decoder, words = load_exported(model_folder)
    size = settings["latent_size"]
    shape = (1, settings["latent_channels"], size, size)
    noise = torch.from_numpy(normal(seed, math.prod(shape))).view(shape)
    ids = words.ids(prompt)
    latent = sample(model, pad_ids([ids]), noise, 8, GUIDANCE)
    pixels = F.avg_pool2d(decoder(latent).clamp(-1, 1), 4)
    save_file({"ids": torch.tensor(ids), "noise": noise, "latent": latent.contiguous(), "pixels": pixels.contiguous()}, out,
              {"prompt": prompt, "seed": str(seed), "steps": "8", "guidance": str(GUIDANCE), "sampler": "euler", "shift": "1.0"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="an exported folder (for --tiny, words alone do)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "fixtures")
    parser.add_argument("--prompt", default="a red apple")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tiny", action="store_true", help="write the tiny model again")
    parser.add_argument("--check", action="store_true", help="write the check picture of --model")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.tiny:
        for name in ("tiny", "tiny-alpha"):
            write_tiny(options.out / name, options.model, Path(__file__).parent / "configs" / f"{name}.toml")
    if options.check:
        write_check(options.model, options.out / "mini-check.safetensors", options.prompt, options.seed)
