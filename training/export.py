"""Write the shipped form: model.safetensors (f16), encoder.safetensors, words.txt, words.safetensors, model.toml.

The encoder has a file of its own, since only drawing over a picture needs it.
Large models are written in parts of at most 16 MiB with `--part-mib`, each a whole safetensors file
with some of the tensors: model-00001-of-00003.safetensors. The engine reads one file: `--join FOLDER` makes it.
"""

import argparse
import shutil
import tomllib
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from training.data import PACKS, atlas_hash
from training.words import load_table, write_table

FORMAT = "pinhole-1"
MOVED = "text.moved"
MIB = 1024 * 1024


def tensors(ema: dict, autoencoder: dict, upscaler: dict | None = None) -> dict[str, torch.Tensor]:
    """Every tensor, f16, by its contract name; but what moved words goes into the word table, not in here."""
    named = {k: v for k, v in ema.items() if k.startswith(("text.", "generator.")) and k != MOVED}
    named |= {f"upscaler.{k}": v for k, v in (upscaler or {}).items()}
    named |= {f"{part}.{k}": v for part in ("encoder", "decoder") for k, v in autoencoder[part].items()}
    # .clone() also drops the channels-last strides that safetensors would refuse.
    return {k: v.detach().half().clone(memory_format=torch.contiguous_format) for k, v in sorted(named.items())}


def write(folder: Path, config: dict, named: dict[str, torch.Tensor], words: Path, metadata: dict[str, str],
          part_mib: int | None = None, moved: torch.Tensor | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {"format": FORMAT, "version": config["export"]["version"], **metadata}
    encoder = {k: v for k, v in named.items() if k.startswith("encoder.")}
    drawing = {k: v for k, v in named.items() if k not in encoder}
    save_file(encoder, folder / "encoder.safetensors", metadata)
    parts = split(drawing, part_mib * MIB) if part_mib else [drawing]
    for number, part in enumerate(parts, 1):
        name = "model.safetensors" if len(parts) == 1 else f"model-{number:05d}-of-{len(parts):05d}.safetensors"
        save_file(part, folder / name, metadata)
    if moved is not None:
        listed = (words / "words.txt").read_text().splitlines()[2:]
        write_table(folder, listed, load_table(words) + moved.float().cpu().numpy())
    elif words.resolve() != folder.resolve():
        for name in ("words.txt", "words.safetensors"):
            shutil.copyfile(words / name, folder / name)
    (folder / "model.toml").write_text(model_toml(config, len((folder / "words.txt").read_text().splitlines())))


def split(named: dict[str, torch.Tensor], limit_bytes: int) -> list[dict[str, torch.Tensor]]:
    """Tensors in order, in parts below the limit."""
    parts, size = [{}], 0
    for name, value in named.items():
        if parts[-1] and size + value.nbytes > limit_bytes:
            parts.append({})
            size = 0
        parts[-1][name] = value
        size += value.nbytes
    return parts


def read(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of an exported folder, however many parts it has, as float32."""
    named = {}
    for path in [folder / "encoder.safetensors", *sorted(folder.glob("model*.safetensors"))]:
        named |= load_file(path)
    return {k: v.float() for k, v in named.items()}


def join(folder: Path) -> None:
    """Make one model.safetensors, as the engine reads it, of the parts in `folder`, and remove them."""
    named: dict[str, torch.Tensor] = {}
    parts = sorted(folder.glob("model-*-of-*.safetensors"))
    for path in parts:
        named |= load_file(path)
    with safe_open(parts[0], "pt") as opened:
        save_file(named, folder / "model.safetensors", opened.metadata())
    for path in parts:
        path.unlink()


def model_toml(config: dict, words: int) -> str:
    model, export = config["model"], config["export"]
    lines = [
        "# Sizes and defaults of the model beside this file; the engine reads everything from here.",
        f'name = "{model["name"]}"',
        f'title = "{export["title"]}"',
        f'about = "{export["about"]}"',
        f'version = "{export["version"]}"',
        'licence = "MIT"',
        f'size = {4 * model.get("patch", 8) * model["latent_size"]}',
        f'latent_channels = {model["latent_channels"]}',
        f'latent_size = {model["latent_size"]}',
        f'd = {model["d"]}',
        f'heads = {model["heads"]}',
        f'blocks = {model["blocks"]}',
        f'text_d = {model["text_d"]}',
        f'text_heads = {model["text_heads"]}',
        f'text_layers = {model["text_layers"]}',
        f"words = {words}",
        f'max_words = {model["max_words"]}',
        f'decoder_widths = {model["decoder_widths"]}',
        f'decoder_blocks = {model["decoder_blocks"]}',
        f'encoder_widths = {model["encoder_widths"]}',
        *(f"{key} = {model[key]}" for key in ("picture_channels", "patch", "upscaler_width", "upscaler_blocks") if key in model),
        f'steps_default = {export["steps_default"]}',
        f'guidance_default = {float(export["guidance_default"])}',
        f'shift = {float(export["shift"])}',
        f'sampler = "{export["sampler"]}"',
    ]
    for example in export.get("examples", []):
        lines += ["", "[[examples]]", f'prompt = "{example["prompt"]}"', f'seed = {example["seed"]}']
    return "\n".join(lines) + "\n"


def main() -> None:
    joiner = argparse.ArgumentParser(add_help=False)
    joiner.add_argument("--join", type=Path, metavar="FOLDER", help="join the parts in FOLDER, and nothing else")
    joining = joiner.parse_known_args()[0].join
    if joining:
        join(joining)
        return
    parser = argparse.ArgumentParser(description=__doc__, parents=[joiner])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--autoencoder", type=Path, required=True, help="with the decoder that goes with it")
    parser.add_argument("--upscaler", type=Path)
    parser.add_argument("--words", type=Path, required=True)
    parser.add_argument("--atlas", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=3, help="the generator's seed, for the record")
    parser.add_argument("--part-mib", type=int)
    options = parser.parse_args()
    config = tomllib.loads(options.config.read_text())
    run = torch.load(options.checkpoint, map_location="cpu", weights_only=False)
    autoencoder = torch.load(options.autoencoder, map_location="cpu")
    upscaler = torch.load(options.upscaler, map_location="cpu") if options.upscaler else None
    if "distilled" in run:  # its steps and guidance are in its weights
        config["export"] |= {"steps_default": run["distilled"]["steps"], "guidance_default": 1.0, "sampler": "euler"}
    learned = run.get("distilled", {}).get("taught", run)
    if upscaler is None:
        config["model"] = {k: v for k, v in config["model"].items() if not k.startswith("upscaler_")}
    metadata = {"seed": str(options.seed), "steps": str(learned["step"]), "pictures": str(learned["seen"]),
                "distilled_pictures": str(run["seen"] if "distilled" in run else 0),
                "autoencoder_pictures": str(autoencoder["seen"]), "data": atlas_hash(options.atlas),
                "torch": torch.__version__, "packs": " ".join(f"{p.npm}@{p.version}" for p in PACKS)}
    named = tensors(run["ema"], autoencoder, upscaler and upscaler["upscaler"])
    write(options.out, config, named, options.words, metadata, options.part_mib, run["ema"].get(MOVED))
    print(f"{sum(p.stat().st_size for p in options.out.iterdir()) / MIB:.1f} MiB in {options.out}")


if __name__ == "__main__":
    main()
