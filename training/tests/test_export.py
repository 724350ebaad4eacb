"""What is exported is what was trained, and still computes what the engine is tested against."""

import json
from pathlib import Path

import numpy as np
import pytest

from training.noise import chacha20_words, normal

TINY = Path(__file__).parent.parent / "fixtures" / "tiny"


def test_noise_is_the_engines():
    # The zero-key keystream of ChaCha20.
    assert chacha20_words(0, 16)[:4].astype("<u4").tobytes().hex() == "76b8e0ada0f13d90405d6ae55386bd28"
    numbers = normal(7, 100_000)
    assert abs(numbers.mean()) < 0.01 and abs(numbers.std() - 1) < 0.01
    assert (normal(1, 5) == normal(1, 40)[:5]).all()


@pytest.fixture(scope="module")
def tiny():
    pytest.importorskip("torch")
    from training.reference import load_exported

    return load_exported(TINY)


@pytest.mark.parametrize("sampler", ["euler", "heun"])
def test_reference_vectors_still_hold(tiny, sampler):
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file

    from training.generator import pad_ids, sample

    _, model, _, decoder, words = tiny
    vectors = load_file(TINY / "reference.safetensors")
    with safe_open(TINY / "reference.safetensors", "pt") as opened:
        notes = opened.metadata()
    ids = pad_ids([words.ids(p) for p in json.loads(notes["prompts"])])
    trace: list = []
    latent = sample(model, ids, vectors["noise"], int(notes["steps"]), float(notes["guidance"]), sampler, trace=trace)
    for step, x in enumerate(trace):
        assert torch.allclose(x, vectors[f"{sampler}.{step}"], atol=1e-4)
    with torch.no_grad():
        assert torch.allclose(decoder(latent), vectors[f"{sampler}.pixels"], atol=1e-4)


def test_round_trip_in_parts(tiny, tmp_path):
    import torch

    from training import export
    from training.export import MIB

    named = export.read(TINY)
    config = {"model": tiny[0] | {"name": "t"}, "export": {"version": "1", "title": "t", "about": "t", "steps_default": 4,
              "guidance_default": 3.0, "shift": 1.0, "sampler": "euler", "examples": [{"prompt": "a cat", "seed": 1}]}}
    halves = {k: v.half() for k, v in named.items()}
    export.write(tmp_path, config, halves, TINY, {"seed": "1"})
    again = export.read(tmp_path)
    assert again.keys() == named.keys()
    assert all(torch.equal(again[k], named[k]) for k in named)
    export.write(tmp_path / "parts", config, halves | {f"text.more{i}": torch.zeros(MIB // 4) for i in range(3)}, TINY, {"seed": "1"}, 1)
    assert len(list((tmp_path / "parts").glob("model-*"))) == 4
    whole = export.read(tmp_path / "parts")
    export.join(tmp_path / "parts")
    assert [p.name for p in (tmp_path / "parts").glob("model*.safetensors")] == ["model.safetensors"]
    assert export.read(tmp_path / "parts").keys() == whole.keys()
    parts = export.split(halves, 100_000)
    assert len(parts) > 1 and all(sum(v.nbytes for v in p.values()) <= 100_000 or len(p) == 1 for p in parts)
    assert sum((list(p) for p in parts), []) == list(halves)


def test_what_words_learned_goes_into_the_shipped_table(tiny, tmp_path):
    import torch

    from training import export
    from training.words import load_table

    moved = torch.zeros(len(load_table(TINY)), 64)
    moved[5] = 0.3
    named = export.tensors({"text.moved": moved, "text.a": torch.ones(2)}, {"encoder": {}, "decoder": {}}, {"b": torch.ones(1)})
    assert set(named) == {"text.a", "upscaler.b"}
    config = {"model": tiny[0] | {"name": "t", "picture_channels": 4}, "export": {"version": "1", "title": "t", "about": "t",
              "steps_default": 6, "guidance_default": 1, "shift": 1.0, "sampler": "euler"}}
    export.write(tmp_path, config, named, TINY, {}, moved=moved)
    assert np.abs(load_table(tmp_path) - load_table(TINY) - moved.numpy()).max() < 0.03
    assert (tmp_path / "words.txt").read_text() == (TINY / "words.txt").read_text()
    told = (tmp_path / "model.toml").read_text()
    assert "picture_channels = 4" in told and "guidance_default = 1.0" in told


def test_whitening_is_folded_in_without_changing_pictures():
    torch = pytest.importorskip("torch")
    from training.autoencoder import Decoder, Encoder, fold_whitening, whitening

    torch.manual_seed(0)
    encoder, decoder = Encoder([8, 12, 16], 4, patch=4), Decoder([16, 12, 8, 8], [1, 1, 1, 1], 4, patch=4)
    pictures = torch.randn(8, 4, 64, 64)
    with torch.no_grad():
        before = decoder(encoder(pictures))
        fold_whitening(encoder, decoder, *whitening(encoder(pictures)))
        latents = encoder(pictures)
        assert torch.allclose(decoder(latents), before, atol=1e-3)
    flat = latents.permute(0, 2, 3, 1).reshape(-1, 4)
    assert torch.allclose(torch.cov(flat.T), torch.eye(4), atol=0.05)
    assert np.abs(flat.mean(0).numpy()).max() < 1e-3
