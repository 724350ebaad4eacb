"""The shipped weights in PyTorch and in ONNX Runtime: what the engine is measured against.

The model, the loading and the sampler are those of training/. Prints JSON: `load_s` to the first
picture, `s_per_picture`, the median of the drawings from word ids and noise to pixels, and
`resident_peak_bytes`.
"""

import argparse
import hashlib
import json
import statistics
import time
import tomllib
from pathlib import Path

import numpy as np
import torch

from safetensors.torch import load_file

from training.generator import Model, pad_ids, sample
from training.train_autoencoder import build
from training.words import Words, load_table

PROMPT = "a red apple"


def load(folder: Path):
    """(settings, model, decoder, words) of a shipped folder, in float32. The encoder is not needed."""
    settings = tomllib.loads((folder / "model.toml").read_text())
    tensors = {name: value.float() for name, value in load_file(folder / "model.safetensors").items()}
    model = Model(settings, torch.from_numpy(load_table(folder)))
    model.load_state_dict({name: tensors[name] for name in model.state_dict()})
    _, decoder = build(settings)
    decoder.load_state_dict({name: tensors[f"decoder.{name}"] for name in decoder.state_dict()})
    return settings, model.eval(), decoder.eval(), Words.load(folder / "words.txt")


class Onnx:
    """A module as an ONNX Runtime session, called with tensors as the module is."""

    def __init__(self, module: torch.nn.Module, inputs: tuple, path: Path, threads: int):
        import onnxruntime

        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            torch.onnx.export(module, inputs, part, dynamo=True, external_data=False, verbose=False)
            part.rename(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.names = [entry.name for entry in self.session.get_inputs()]

    def __call__(self, *inputs: torch.Tensor):
        feed = {name: np.ascontiguousarray(value.numpy()) for name, value in zip(self.names, inputs, strict=True)}
        outputs = [torch.from_numpy(value) for value in self.session.run(None, feed)]
        return outputs[0] if len(outputs) == 1 else tuple(outputs)


class Encode(torch.nn.Module):
    """The text encoder as a module of its own, for the export."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids):
        return self.model.encode(ids)


class Parts:
    """What `sample` asks of a model."""

    def __init__(self, encode, generator):
        self.encode, self.generator = encode, generator


@torch.no_grad()
def prepare(engine: str, model, decoder, ids, noise, is_guided: bool, folder: Path, threads: int):
    """(model, decoder) as the engine runs them. Guided, each step is computed without the words as well."""
    if engine == "eager":
        return model, decoder
    if engine == "compiled":
        return Parts(torch.compile(model.encode), torch.compile(model.generator)), torch.compile(decoder)
    rows = torch.cat([ids, torch.ones_like(ids)]) if is_guided else ids
    latents = torch.cat([noise, noise]) if is_guided else noise
    tokens, mask = model.encode(rows)
    step = (latents, torch.ones(len(latents)), tokens, mask)
    return (
        Parts(
            Onnx(Encode(model), (rows,), folder / "encode.onnx", threads),
            Onnx(model.generator, step, folder / "generator.onnx", threads),
        ),
        Onnx(decoder, (noise,), folder / "decoder.onnx", threads),
    )


def peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="an exported folder")
    parser.add_argument("--engine", choices=["eager", "compiled", "onnx"], required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--at-once", type=int, required=True)
    parser.add_argument("--drawings", type=int, required=True)
    parser.add_argument("--graphs", type=Path, required=True, help="where exported graphs are kept")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    begun = time.perf_counter()
    settings, model, decoder, words = load(options.model)
    ids = pad_ids([words.ids(PROMPT)] * options.at_once)
    size, guidance, steps = settings["latent_size"], settings["guidance_default"], settings["steps_default"]
    random = torch.Generator().manual_seed(1)
    noise = torch.randn(options.at_once, settings["latent_channels"], size, size, generator=random)
    weights = hashlib.sha256((options.model / "model.safetensors").read_bytes()).hexdigest()
    folder = options.graphs / weights[:16] / f"{options.at_once}-at-once-guidance-{guidance}"
    used, decode = prepare(options.engine, model, decoder, ids, noise, guidance != 1, folder, options.threads)

    def draw():
        return decode(sample(used, ids, noise, steps, guidance, shift=settings["shift"])).clamp(-1, 1)

    pixels = draw()
    load_s = time.perf_counter() - begun
    # A stop-watch around a wrong picture measures nothing.
    expected = decoder(sample(model, ids, noise, steps, guidance, shift=settings["shift"])).clamp(-1, 1)
    apart = (pixels - expected).abs().max().item()
    assert apart < 0.02, f"{options.engine} draws something else: {apart} apart"

    seconds = []
    for _ in range(options.drawings):
        begun = time.perf_counter()
        draw()
        seconds.append(time.perf_counter() - begun)
    print(json.dumps({
        "load_s": load_s,
        "s_per_picture": statistics.median(seconds) / options.at_once,
        "resident_peak_bytes": peak_bytes(),
    }))


if __name__ == "__main__":
    main()
