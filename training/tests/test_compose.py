"""Captions tell the truth about their pictures, and held-out cells never appear. Needs no packs and no torch."""

import numpy as np
import pytest

from training import compose
from training.colour import BACKGROUNDS, TINTS, TRANSPARENT, WHITE, natural_colour, tinted
from training.compose import GROUND, NUMBERS, Item, Scene, describe, is_held_out, owners, pieces, render, sample_scene
from training.words import NOTHING, normalise

SCENES = 1500
COLOURS = set(BACKGROUNDS) | set(TINTS)


@pytest.fixture(scope="module")
def atlas(world):
    return world[0]


@pytest.fixture(scope="module")
def told(world):
    """Scenes with their captions, in parts."""
    rng = np.random.default_rng(0)
    by_name = {c.name: c for c in world[1]}
    scenes = [sample_scene(rng, *world) for _ in range(SCENES)]
    return [(scene, pieces(scene, rng, world[0], by_name)) for scene in scenes]


def said(parts, owner):
    return [w for text, whose in parts if whose == owner for w in normalise(text)]


def names_of(concept):
    return {w for name in (concept.name, concept.plural, *concept.synonyms) for w in normalise(name)}


def test_there_are_concepts_enough_and_each_name_is_one_thing(concepts):
    assert len(concepts) >= 600
    meanings = {}
    for concept in concepts:
        for name in {concept.name, concept.plural, *concept.synonyms}:
            meanings.setdefault(name, set()).add(concept.name)
    assert not {name: things for name, things in meanings.items() if len(things) > 1}


def test_captions_name_the_background_and_nothing_else_does(told):
    for scene, parts in told:
        ground = [w for w in said(parts, GROUND) if w in BACKGROUNDS or w == TRANSPARENT]
        if scene.background == TRANSPARENT:
            assert ground == [TRANSPARENT] or {"without", "no"} & set(said(parts, GROUND)), parts
        else:
            assert ground == [scene.background] or (scene.background == WHITE and not said(parts, GROUND)), parts
        assert TRANSPARENT not in said(parts, 0) + said(parts, 1) + said(parts, NOTHING)


def test_captions_never_lie_about_things(told, atlas, concepts):
    by_name = {c.name: c for c in concepts}
    for scene, parts in told:
        for i, item in enumerate(scene.items):
            words = said(parts, i)
            own = names_of(by_name[item.concept])
            assert own & set(words), (parts, scene)
            colours = [w for w in words if w in COLOURS and w not in own]
            true = item.colour or atlas.natural[(item.concept, scene.style)]
            assert colours in ([], [true]), (parts, scene)
            assert item.colour is None or colours == [true] or item.colour in own, (parts, scene)
            numbers = [w for w in words if w in NUMBERS.values() and w not in own]
            assert numbers == ([NUMBERS[scene.count]] if scene.count > 1 else []), (parts, scene)
            small = [w for w in words if w in compose.SIZE_WORDS["small"] and w not in own]
            assert bool(small) == scene.small, (parts, scene)
            if [w for w in words if w in compose.SIZE_WORDS["large"] and w not in own]:
                assert compose.places(scene)[0].tiles == compose.LARGE, (parts, scene)
        about = [w for text, _ in parts for w in normalise(text)]
        assert (scene.style in about) or scene.style == "3d", (parts, scene)
        assert not {"3d", "flat", "cartoon"} - {scene.style} & set(about), (parts, scene)


def test_sides_are_told_in_the_right_order(told):
    turned_words = {"right", "below", "under"}
    for scene, parts in told:
        order = [whose for _, whose in parts if whose in (0, 1)]
        between = said(parts, NOTHING)
        if scene.relation:
            assert order == ([1, 0] if turned_words & set(between) else [0, 1]), (parts, scene)
            sideways = {"left", "right", "next", "beside", "and"} & set(between)
            assert bool(sideways) == (scene.relation == "left of"), (parts, scene)
        else:
            assert order == [0], (parts, scene)


def test_held_out_cells_never_appear(told):
    assert not any(is_held_out(scene) for scene, _ in told)
    assert is_held_out(Scene((Item("cat"),), background="purple"))
    assert is_held_out(Scene((Item("star"), Item("cat")), relation="above"))
    assert is_held_out(Scene((Item("dog"), Item("star", "purple")), relation="above"))
    assert not is_held_out(Scene((Item("cat"),), background="red"))


def test_pictures_show_background_and_number_where_their_owners_are(told, atlas):
    rng = np.random.default_rng(1)
    for scene, _ in told[:200]:
        picture = render(scene, rng, atlas).astype(int)
        ground = np.array((0, 0, 0, 0) if scene.background == TRANSPARENT else (*BACKGROUNDS[scene.background], 255))
        drawn = np.abs(picture - ground).sum(-1) > 60
        assert components(drawn[::4, ::4]) == max(scene.count, len(scene.items)), scene
        owned = owners(scene).reshape(8, 8).repeat(32, 0).repeat(32, 1) != GROUND
        assert not (drawn & ~owned).any(), scene
        if scene.background != TRANSPARENT:
            assert (picture[..., 3] == 255).all(), scene


def test_owners_follow_the_latent_to_finer_grids():
    scene = Scene((Item("cat"), Item("dog")), relation="above")
    coarse, fine = owners(scene).reshape(8, 8), owners(scene, 16).reshape(16, 16)
    assert coarse[1, 4] == 0 and coarse[6, 4] == 1 and coarse[0, 0] == GROUND
    assert (fine[::2, ::2] == coarse).all()


def test_a_mirror_turns_only_what_may_be_turned(world):
    atlas, concepts = world
    scene = Scene((Item("cat"),))
    half = atlas._sprites[("cat", "3d", None)].copy()
    half[:, 32:] = 0
    whole, atlas._sprites[("cat", "3d", None)] = atlas._sprites[("cat", "3d", None)], half
    rng = np.random.default_rng(0)
    turned, kept = render(scene, rng, atlas, mirror=1.0), render(scene, rng, atlas, mirror=1.0, fixed=frozenset({"cat"}))
    atlas._sprites[("cat", "3d", None)] = whole
    assert (turned[:, ::-1] == kept).all() and (turned != kept).any()
    assert any(not c.mirrors for c in concepts)


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
    blue = tinted(sprite, TINTS["blue"])
    assert (blue[..., 3] == sprite[..., 3]).all()
    assert natural_colour(blue) == "blue"


def test_articles():
    assert [compose.with_article(w).split()[0] for w in ("apple", "unicorn", "umbrella", "ufo", "zebra", "urn")] == \
        ["an", "a", "an", "a", "a", "an"]


def test_describe_is_the_same_caption(world):
    by_name = {c.name: c for c in world[1]}
    scene = Scene((Item("cat"),), background="red")
    assert describe(scene, np.random.default_rng(5), world[0], by_name) == \
        "".join(text for text, _ in pieces(scene, np.random.default_rng(5), world[0], by_name))
