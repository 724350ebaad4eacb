"""The stages run, learn, and go on from where they were stopped."""

import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training import pool, train_generator  # noqa: E402
from training.compose import Mix, is_held_out  # noqa: E402
from training.generator import Model, pad_ids, timesteps  # noqa: E402
from training.optimiser import orthogonalise  # noqa: E402
from training.painting import SceneBatches  # noqa: E402
from training.train_autoencoder import build, make_optimiser, schedule  # noqa: E402
from training.words import load_table  # noqa: E402

TINY = Path(__file__).parent.parent / "fixtures" / "tiny"
MODEL = tomllib.loads((TINY / "model.toml").read_text())
RECIPE = {"muon_lr": 0.02, "adam_lr": 0.003, "weight_decay": 0.01, "time_mean": 0.0, "time_deviation": 1.0}


def test_batches_are_the_same_on_every_run(atlas_path):
    def batch(number):
        return SceneBatches(atlas_path, Mix(), 0.3, 1.0, 4, 10, seed=1)[number]

    scenes, pictures = batch(3)
    assert pictures.shape == (4, 256, 256, 3) and not any(map(is_held_out, scenes))
    again_scenes, again_pictures = batch(3)
    assert scenes == again_scenes and torch.equal(pictures, again_pictures)
    assert batch(4)[0] != scenes


def test_pool_grows_and_is_drawn_from_by_kind(atlas_path, tmp_path, monkeypatch):
    encoder, decoder = build(MODEL)
    torch.save({"encoder": encoder.state_dict(), "decoder": decoder.state_dict()}, tmp_path / "ae.pt")
    (tmp_path / "c.toml").write_text(f"""
        [model]
        encoder_widths = {MODEL["encoder_widths"]}
        decoder_widths = {MODEL["decoder_widths"]}
        decoder_blocks = {MODEL["decoder_blocks"]}
        latent_channels = {MODEL["latent_channels"]}
        [pool]
        mix = {{ single = 0.25, count = 0.25, pair = 0.25, tint = 0.25 }}
        flat_share = 0.3
        jitter = 0.0
    """)
    monkeypatch.setattr(pool, "SHARD_SCENES", 20)
    monkeypatch.setattr(sys, "argv", ["pool", "--config", str(tmp_path / "c.toml"), "--atlas", str(atlas_path),
                                      "--autoencoder", str(tmp_path / "ae.pt"), "--out", str(tmp_path / "pool"),
                                      "--scenes", "40"])
    pool.main()
    found = pool.Pool(tmp_path / "pool")
    assert found.refresh() == 40 and found.refresh() == 40
    latents, scenes = found.draw(np.random.default_rng(0), 8, Mix(single=0, count=0, pair=1, tint=0))
    assert latents.shape == (8, MODEL["latent_channels"], 8, 8) and all(s.relation for s in scenes)


def fresh():
    torch.manual_seed(0)
    model = Model(MODEL, torch.from_numpy(load_table(TINY)))
    return model, train_generator.make_optimiser(model, RECIPE)


def steps(model, optimiser, count):
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(16, MODEL["latent_channels"], 2, 2, generator=generator)
    ids = pad_ids([[0, 2 + i] for i in range(16)])
    losses = []
    for step in range(count):
        torch.manual_seed(100 + step)
        loss = train_generator.flow_loss(model, latents, ids, RECIPE)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def test_the_generator_learns():
    losses = steps(*fresh(), 60)
    assert np.mean(losses[-10:]) < 0.85 * np.mean(losses[:10])


def test_a_checkpoint_goes_on_to_the_same_weights(tmp_path):
    model, optimiser = fresh()
    rng = np.random.default_rng(4)
    steps(model, optimiser, 3)
    run = {"step": 3, "seen": 48, "seconds": 1.5, "ema": model.state_dict()}
    train_generator.save(tmp_path / "g.pt", model, optimiser, rng, run)
    drawn = rng.random()
    steps(model, optimiser, 2)

    again, its_optimiser = fresh()
    its_rng = np.random.default_rng(0)
    restored = train_generator.restore(tmp_path / "g.pt", again, its_optimiser, its_rng, "cpu")
    assert (restored["step"], restored["seen"], its_rng.random()) == (3, 48, drawn)
    steps(again, its_optimiser, 2)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(model.parameters(), again.parameters()))


def test_orthogonalise():
    torch.manual_seed(0)
    for shape in [(32, 32), (32, 128), (96, 32)]:
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
        assert values[: len(values) // 2].sub(1).abs().max() < 0.3


def test_schedules():
    recipe = {"warmup_steps": 10, "hold": 0.5}
    assert schedule(0, 0.0, recipe) == pytest.approx(0.1)
    assert schedule(100, 0.4, recipe) == pytest.approx(1.0)
    assert schedule(100, 1.0, recipe) == pytest.approx(0.03)
    assert timesteps(4) == [1, 0.75, 0.5, 0.25, 0]
    assert timesteps(2, 3.0) == [1, 0.75, 0]


def test_the_autoencoder_learns():
    torch.manual_seed(0)
    encoder, decoder = build(MODEL)
    optimiser = make_optimiser([encoder, decoder], RECIPE)
    pictures = torch.rand(4, 3, 64, 64)
    losses = []
    for _ in range(15):
        loss = (decoder(encoder(pictures)) - pictures).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
