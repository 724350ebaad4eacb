"""The fixed prompts ask for what their scenes hold, and what is measured from pixels is measured right."""

import numpy as np
import pytest

pytest.importorskip("torch")

from training import evaluate  # noqa: E402
from training.colour import BACKGROUNDS, TINTS, TRANSPARENT  # noqa: E402
from training.compose import Item, Scene, is_held_out, over, render  # noqa: E402


def test_there_are_200_prompts_the_same_on_every_run(concepts):
    cases = evaluate.cases(concepts)
    assert len(cases) == 200 and cases == evaluate.cases(concepts)
    for case in cases:
        assert is_held_out(case.scene) == case.group.startswith("held-out") or case.group == "pair", case
        for item in case.scene.items:
            known = next(c for c in concepts if c.name == item.concept)
            assert any(name in case.prompt for name in (known.name, known.plural, *known.synonyms)), case
            assert item.colour is None or item.colour in case.prompt, case


@pytest.mark.parametrize("background", [*BACKGROUNDS, TRANSPARENT])
def test_backgrounds_are_told_from_the_border(world, background):
    scene = Scene((Item("cat"),), background=background)
    assert evaluate.background_of(render(scene, np.random.default_rng(0), world[0])) == background


@pytest.mark.parametrize("tint", TINTS)
def test_tints_are_told_from_the_pixels(world, tint):
    picture = render(Scene((Item("heart", tint),)), np.random.default_rng(0), world[0])
    assert evaluate.tint_of(over(picture)) == tint


def test_intervals_are_wilsons():
    low, high = evaluate.interval(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
