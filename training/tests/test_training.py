"""The stages run, learn, and go on from where they were stopped."""

import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training import compose, distil, library, train_generator  # noqa: E402
from training.autoencoder import add_alpha, fit_alpha  # noqa: E402
from training.compose import GROUND, Item, Mix, Scene, is_held_out  # noqa: E402
from training.generator import Model, guided, pad_ids, timesteps  # noqa: E402
from training.optimiser import orthogonalise  # noqa: E402
from training.painting import SceneBatches  # noqa: E402
from training.train_autoencoder import build, make_optimiser, schedule  # noqa: E402
from training.upscaler import Upscaler  # noqa: E402
from training.words import NOTHING, Words, load_table  # noqa: E402

TINY = Path(__file__).parent.parent / "fixtures" / "tiny"
MODEL = tomllib.loads((TINY / "model.toml").read_text())
SMALL = MODEL | {"latent_size": 8, "picture_channels": 4}
RECIPE = {"muon_lr": 0.02, "adam_lr": 0.003, "weight_decay": 0.01, "time_mean": 0.0, "time_deviation": 1.0,
          "word_lr": 0.02, "look_blocks": [0, 1], "look_heads": 1, "look_weight": 0.1, "look_until": 0.5, "batch": 6,
          "caption_dropout": 0.1, "wander": 0.3, "curriculum_until": 0.2,
          "mix_first": {"single": 0.4, "count": 0.2, "pair": 0.3, "tint": 0.1},
          "mix_last": {"single": 0.4, "count": 0.2, "pair": 0.3, "tint": 0.1}}


def test_batches_are_the_same_on_every_run(atlas_path):
    def batch(number):
        return SceneBatches(atlas_path, Mix(), 1.0, 0.3, 0.2, 4, 10, seed=1)[number]

    scenes, pictures = batch(3)
    assert pictures.shape == (4, 256, 256, 4) and not any(map(is_held_out, scenes))
    again_scenes, again_pictures = batch(3)
    assert scenes == again_scenes and torch.equal(pictures, again_pictures)
    assert batch(4)[0] != scenes


@pytest.fixture(scope="module")
def shelf(atlas_path, tmp_path_factory):
    """A library of the first few shards, made by the command."""
    folder = tmp_path_factory.mktemp("library")
    torch.manual_seed(0)
    encoder, decoder = build(SMALL)
    torch.save({"encoder": encoder.state_dict(), "decoder": decoder.state_dict()}, folder / "ae.pt")
    model = "\n".join(f"{k} = {v}" for k, v in SMALL.items() if isinstance(v, (int, list)) and k != "examples")
    (folder / "c.toml").write_text(f"[model]\n{model}\n[library]\nrounds = 1\nmirror = 0.3\njitter = 0.0\nbatch = 25\n")
    arguments = ["library", "--config", folder / "c.toml", "--atlas", atlas_path, "--autoencoder", folder / "ae.pt",
                 "--out", folder / "shards", "--part", "0/10"]
    kept, library.SHARD_GROUPS, sys.argv = (library.SHARD_GROUPS, sys.argv), 12, list(map(str, arguments))
    library.main()
    library.SHARD_GROUPS, sys.argv = kept
    return folder / "shards"


def test_scenes_are_put_together_from_the_library(shelf, world):
    books = library.Library(shelf)
    things = books.refresh()
    assert things > 100 and books.refresh() == things
    latents, scenes = books.draw(np.random.default_rng(0), world, 8, Mix(single=0, count=0, pair=1, tint=0), 0.0)
    assert latents.shape == (8, MODEL["latent_channels"], 8, 8) and not any(map(is_held_out, scenes))
    for latent, scene in zip(latents, scenes):
        for item, place in zip(compose.cast(scene), compose.places(scene)):
            rows = books.rows[(item.concept, scene.style, item.colour, scene.background)]
            here = latent[:, place.row:place.row + 4, place.column:place.column + 4]
            assert any((books.shards[s][1][i] == here.astype(np.float16)).all() for s, i in rows), scene
    name = next(e[0] for e in books.rows if e[1:] == ("3d", None, "white"))
    middle = books.latent(Scene((Item(name),)), np.random.default_rng(0))
    shifted = books.latent(Scene((Item(name),), shift=(1, -1)), np.random.default_rng(0))
    assert (shifted[:, :7, 1:] == middle[:, 1:, :7]).all() and (shifted[:, 7] == books.grounds["white"][:, 7]).all()


def test_the_plan_covers_every_drawing_and_no_held_out_cell(world):
    groups = library.plan(*world, 3, seed=2)
    entries = [entry for four, _ in groups for entry in four]
    atlas, concepts = world
    on_white = {entry[:2] for entry in entries if entry[2:] == (None, "white")}
    assert on_white == {(c.name, s) for c in concepts for s in atlas.styles}
    assert ("cat", "3d", None, "purple") not in entries and not any(e[0] == "star" and e[2] == "purple" for e in entries)
    assert all(len({e[3] for e in four}) == 1 and len(four) == library.GROUP for four, _ in groups)


def test_words_and_cells_are_told_whose_they_are(shelf, atlas_path):
    books = library.Library(shelf)
    books.refresh()
    words = Words(["<start>", "<pad>", *sorted({w for c in compose.load_concepts() for w in c.name.split()}), "left", "right"])
    batches = train_generator.Batches(atlas_path, books, words, RECIPE, 8, seed=1)
    latents, ids, whose, cells = batches[5]
    assert latents.shape[0] == ids.shape[0] == 6 and ids.shape == whose.shape and cells.shape == (6, 64)
    assert (whose[ids < 2] == NOTHING).all() and set(np.unique(cells)) <= {0, 1, GROUND}
    assert all(torch.equal(a, b) for a, b in zip(batches[5], (latents, ids, whose, cells)))


def test_busy_cells_are_learned_from_first():
    cells = torch.full((2, 16), GROUND)
    cells[0, 5:9], cells[1, :12] = 0, 1
    kept = train_generator.busy_cells(cells, 0.5)
    assert kept.shape == (2, 8) and {5, 6, 7, 8} <= set(kept[0].tolist()) and set(kept[1].tolist()) <= set(range(12))
    model, _ = fresh()
    x, ids, t = torch.randn(2, MODEL["latent_channels"], 2, 2), pad_ids([[0, 3], [0, 4]]), torch.tensor([0.3, 0.6])
    everything = torch.tensor([[3, 1, 0, 2], [0, 1, 2, 3]])
    with torch.no_grad():
        whole = model(x, t, ids).flatten(2).transpose(1, 2)
        assert torch.allclose(model(x, t, ids, (), everything)[0], whole[0, everything[0]], atol=1e-5)


def test_looking_at_the_right_words_costs_less():
    cells, whose = torch.tensor([[0, 1, GROUND]]), torch.tensor([[NOTHING, 0, 1]])
    right = torch.tensor([[[[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]]])
    wrong = torch.tensor([[[[0.0, 0, 1], [0, 1, 0], [1, 0, 0]]]])
    assert train_generator.look_loss([right], whose, cells, 1) < 0.01 < train_generator.look_loss([wrong], whose, cells, 1)


def fresh():
    torch.manual_seed(0)
    model = Model(MODEL, torch.from_numpy(load_table(TINY)), learn_words=True)
    return model, train_generator.make_optimiser(model, RECIPE)


def steps(model, optimiser, count):
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(16, MODEL["latent_channels"], 2, 2, generator=generator)
    ids = pad_ids([[0, 2 + i] for i in range(16)])
    losses = []
    for step in range(count):
        torch.manual_seed(100 + step)
        owned = torch.zeros(16, 4, dtype=torch.long), torch.tensor([[NOTHING, 0]] * 16)
        loss, look = train_generator.losses(model, latents, ids, owned[1], owned[0], RECIPE, True)
        optimiser.zero_grad()
        (loss + 0.1 * look).backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def test_the_generator_learns():
    losses = steps(*fresh(), 60)
    assert np.mean(losses[-10:]) < 0.85 * np.mean(losses[:10])


def test_a_checkpoint_goes_on_to_the_same_weights(tmp_path):
    model, optimiser = fresh()
    steps(model, optimiser, 3)
    run = {"step": 3, "seen": 48, "seconds": 1.5, "ema": model.state_dict()}
    train_generator.save(tmp_path / "g.pt", model, optimiser, run)
    steps(model, optimiser, 2)

    again, its_optimiser = fresh()
    restored = train_generator.restore(tmp_path / "g.pt", again, its_optimiser, "cpu")
    assert (restored["step"], restored["seen"]) == (3, 48)
    steps(again, its_optimiser, 2)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(model.parameters(), again.parameters()))


def test_a_student_is_taught_the_straight_way_to_where_guided_steps_lead():
    model, _ = fresh()
    ids, x = pad_ids([[0, 3], [0, 4, 5]]), torch.randn(2, MODEL["latent_channels"], 2, 2)
    one = distil.taught_velocity(model, ids, x, 0.9, 0.5, 1, 3.0)
    with torch.no_grad():
        assert torch.allclose(one, guided(model, ids, 3.0)(x, 0.9), atol=1e-5)
        halfway = x - 0.2 * one
        end = halfway - 0.2 * guided(model, ids, 3.0)(halfway, 0.7)
    assert torch.allclose(x - 0.4 * distil.taught_velocity(model, ids, x, 0.9, 0.5, 2, 3.0), end, atol=1e-5)


def test_the_upscaler_begins_with_doubled_pixels():
    picture = torch.rand(1, 4, 16, 16)
    assert torch.equal(Upscaler(8, 1)(picture)[..., ::2, 1::2], picture)


def test_a_fourth_channel_is_added_and_fitted():
    torch.manual_seed(0)
    opaque = {k: v for k, v in SMALL.items() if k != "picture_channels"}
    encoder, decoder = build(opaque)
    wider, its_decoder = build(SMALL)
    states = encoder.state_dict(), decoder.state_dict()
    add_alpha(*states)
    wider.load_state_dict(states[0])
    its_decoder.load_state_dict(states[1])
    pictures = torch.rand(4, 4, 64, 64) * 2 - 1
    pictures[:2, 3], pictures[2:] = 1, -1
    with torch.no_grad():
        assert torch.allclose(its_decoder(wider(pictures))[:, :3], decoder(encoder(pictures[:, :3])), atol=1e-5)
    fit_alpha(wider, its_decoder, pictures)
    with torch.no_grad():
        alpha = its_decoder(wider(pictures))[:, 3]
    assert (alpha - pictures[:, 3]).square().mean() < 0.9 * (1 - pictures[:, 3]).square().mean()
    assert alpha[:2].mean() > alpha[2:].mean() + 0.1


def test_orthogonalise():
    torch.manual_seed(0)
    several = torch.randn(3, 8, 16)
    assert torch.allclose(orthogonalise(several)[1], orthogonalise(several[1]), atol=1e-5)
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
