"""Captions tell the truth about their pictures, and held-out cells never appear. Needs no packs and no torch."""

import numpy as np
import pytest

from training import compose
from training.compose import BACKGROUNDS, NUMBERS, TINTS, Item, Scene, describe, is_held_out, render, sample_scene
from training.words import normalise

SCENES = 1500


@pytest.fixture(scope="module")
def atlas(atlas_path):
    return compose.Atlas(atlas_path)


@pytest.fixture(scope="module")
def told(atlas, concepts):
    """Scenes with their captions."""
    rng = np.random.default_rng(0)
    by_name = {c.name: c for c in concepts}
    scenes = [sample_scene(rng, atlas, concepts) for _ in range(SCENES)]
    return [(scene, describe(scene, rng, atlas, by_name)) for scene in scenes]


def colours_said(caption: str, names: set[str]) -> tuple[list[str], str | None]:
    """Colour words of the things, and the background's, if any."""
    words = normalise(caption)
    spans = [i for i, w in enumerate(words) if w in (set(BACKGROUNDS) | set(TINTS))]
    ground = None
    if "background" in words:
        ground = words[words.index("background") - 1]
        spans.remove(words.index("background") - 1)
    elif words[-2:-1] == ["on"] and words[-1] in BACKGROUNDS:
        ground = words[-1]
        spans.remove(len(words) - 1)
    # "orange" is a fruit, too
    things = [words[i] for i in spans if words[i] != "orange" or "orange" not in names]
    return things, ground


def test_captions_never_lie(told, atlas):
    for scene, caption in told:
        names = {item.concept for item in scene.items}
        words = normalise(caption)
        things, ground = colours_said(caption, names)
        assert (ground or compose.WHITE) == scene.background, (caption, scene)
        allowed = {item.colour or atlas.natural[(item.concept, scene.style)] for item in scene.items}
        assert set(things) <= allowed, (caption, scene)
        said = [n for n, word in NUMBERS.items() if word in words]
        assert said == ([scene.count] if scene.count > 1 else []), (caption, scene)
        assert ("flat" in words) == (scene.style == "flat"), (caption, scene)
        assert "3d" not in words or scene.style == "3d", (caption, scene)


def test_every_tint_is_said(told):
    for scene, caption in told:
        for item in scene.items:
            assert item.colour is None or item.colour in normalise(caption), (caption, scene)


def test_sides_are_told_in_the_right_order(told, concepts):
    plain = {c.name: {c.name, *c.synonyms} for c in concepts}
    for scene, caption in told:
        if not scene.relation:
            continue
        first, second = (max((caption.find(w) for w in plain[i.concept])) for i in scene.items)
        turned = any(f" {w} " in caption for w in ("right of", "below", "under"))
        overlap = any(a in b or b in a for a in plain[scene.items[0].concept] for b in plain[scene.items[1].concept])
        if not overlap:
            assert (first > second) == turned, (caption, scene)


def test_held_out_cells_never_appear(told):
    assert not any(is_held_out(scene) for scene, _ in told)
    assert is_held_out(Scene((Item("cat"),), background="purple"))
    assert is_held_out(Scene((Item("star"), Item("cat")), relation="above"))
    assert not is_held_out(Scene((Item("cat"),), background="red"))


def test_pictures_show_background_and_number(told, atlas):
    rng = np.random.default_rng(1)
    for scene, caption in told[:200]:
        picture = render(scene, rng, atlas).astype(int)
        ground = np.array(BACKGROUNDS[scene.background])
        for corner in (picture[0, 0], picture[0, -1], picture[-1, 0], picture[-1, -1]):
            assert np.abs(corner - ground).max() <= 1, (caption, scene)
        drawn = np.abs(picture - ground).sum(-1) > 60
        assert components(drawn[::4, ::4]) == max(scene.count, len(scene.items)), (caption, scene)


def components(mask: np.ndarray) -> int:
    """Connected areas of a mask."""
    mask, found = mask.copy(), 0
    while mask.any():
        found += 1
        todo = [tuple(np.argwhere(mask)[0])]
        while todo:
            y, x = todo.pop()
            if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x]:
                mask[y, x] = False
                todo += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
    return found


def test_tinting_changes_the_colour_and_not_the_shape(atlas):
    sprite = atlas.sprite("heart", "flat")
    blue = compose.tinted(sprite, TINTS["blue"])
    assert (blue[..., 3] == sprite[..., 3]).all()
    assert compose.natural_colour(blue) == "blue"
