"""Scenes of sprites and captions that are true of them.

A `Scene` says everything that is in a picture. `sample_scene` draws one at random (never a held-out
cell), `pieces` puts it into words and says which words name which thing, `render` puts it into pixels.
Things stand on a grid of 32-pixel tiles, the tiles of the latent, so that a thing that moves stays the same to it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from training.colour import BACKGROUNDS, TINTS, TRANSPARENT, WHITE, takes_tint, tinted
from training.data import Concept, load_concepts
from training.words import NOTHING

PICTURE_PX, TILE_PX = 256, 32
TILES = PICTURE_PX // TILE_PX
LARGE, SMALL = 6, 4  # tiles a side; a small thing keeps a margin of 5 px in its cell
SMALL_PX = 118
GROUNDS = [*BACKGROUNDS, TRANSPARENT]
NUMBERS = {2: "two", 3: "three", 4: "four"}
SIZE_WORDS = {"small": ["small", "small", "little", "tiny"], "large": ["big", "large"]}
DEFAULT_STYLE = "3d"
GROUND = 2  # the owner of words and tiles that belong to the background; 0 and 1 are the things

# Cells that training never shows, to measure whether the model composes or only remembers.
HELD_OUT_BACKGROUNDS = {("cat", "purple"), ("rocket", "yellow"), ("star", "green"), ("apple", "blue"),
                        ("ghost", "pink"), ("pizza", "teal"), ("robot", "orange"), ("tree", "red"),
                        ("house", "black"), ("owl", "grey")}
HELD_OUT_COUNTS = {("dog", 3), ("star", 4), ("apple", 2), ("fish", 3), ("balloon", 4), ("car", 2),
                   ("heart", 3), ("frog", 2)}
HELD_OUT_TINTS = {("star", "purple"), ("heart", "green"), ("balloon", "yellow"), ("car", "pink"),
                  ("book", "orange"), ("umbrella", "red")}
HELD_OUT_PAIRS = {frozenset(p) for p in [("cat", "star"), ("dog", "moon"), ("apple", "banana"),
                                         ("house", "sun"), ("frog", "flower"), ("robot", "heart"),
                                         ("car", "tree"), ("pizza", "ghost")]}


@dataclass(frozen=True)
class Item:
    """One kind of thing in a scene; `colour` is a tint, or None for its natural colours."""

    concept: str
    colour: str | None = None


@dataclass(frozen=True)
class Scene:
    """`relation` is None for one kind of thing, else 'left of' or 'above' (first to second).

    `shift` moves a single large thing by whole tiles: (right, down), each -1, 0 or 1.
    """

    items: tuple[Item, ...]
    count: int = 1
    relation: str | None = None
    style: str = DEFAULT_STYLE
    background: str = WHITE
    small: bool = False
    shift: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Mix:
    """Shares of each kind of scene; they sum to 1."""

    single: float = 0.5
    count: float = 0.15
    pair: float = 0.25
    tint: float = 0.1


@dataclass(frozen=True)
class Place:
    """Where a thing stands, in tiles from the left and the top, and how many tiles it is wide and high."""

    column: int
    row: int
    tiles: int


class Atlas:
    """The sprites, looked up by (concept, style) and tint."""

    def __init__(self, path: Path):
        loaded = np.load(path)
        self.styles = [str(s) for s in loaded["styles"]]
        self.names = [str(c) for c in loaded["concepts"]]
        sprites, natural = loaded["sprites"], loaded["natural"]
        self._sprites, self.natural = {}, {}
        for i, (c, s) in enumerate(zip(loaded["concept"], loaded["style"])):
            key = (self.names[c], self.styles[s])
            self._sprites[(*key, None)] = sprites[i]
            self.natural[key] = str(natural[i]) or None

    def has(self, concept: str, style: str) -> bool:
        return (concept, style) in self.natural

    def sprite(self, concept: str, style: str, tint: str | None = None) -> np.ndarray:
        """Premultiplied RGBA uint8 [P, P, 4]."""
        key = (concept, style, tint)
        if key not in self._sprites:
            self._sprites[key] = tinted(self._sprites[(concept, style, None)], TINTS[tint])
        return self._sprites[key]


def is_held_out(scene: Scene) -> bool:
    """True if any cell of the scene is reserved for measuring."""
    names = [item.concept for item in scene.items]
    return (any((n, scene.background) in HELD_OUT_BACKGROUNDS for n in names)
            or (len(names) == 1 and (names[0], scene.count) in HELD_OUT_COUNTS)
            or any((item.concept, item.colour) in HELD_OUT_TINTS for item in scene.items)
            or (len(names) == 2 and frozenset(names) in HELD_OUT_PAIRS))


def sample_scene(rng: np.random.Generator, atlas: Atlas, concepts: list[Concept], mix: Mix = Mix(),
                 wander: float = 0.25, transparent: float = 0.1, has: Callable[[Item, str, str], bool] | None = None) -> Scene:
    """A random scene, with no held-out cell. `wander` is the share of single things off the middle, `transparent` that
    of scenes without a background; `has` says which (item, style, background) there are, if not all."""
    tintable = [c for c in concepts if c.tintable]
    while True:
        kind = rng.choice(4, p=[mix.single, mix.count, mix.pair, mix.tint])
        style = DEFAULT_STYLE if rng.random() < 0.5 else pick(rng, atlas.styles)
        ground = rng.random()
        background = TRANSPARENT if ground < transparent else WHITE if ground < 0.5 + transparent / 2 else pick(rng, list(BACKGROUNDS)[1:])
        scene = Scene((Item(pick(rng, concepts).name),), style=style, background=background)
        if kind == 1:
            scene = replace(scene, count=int(rng.choice([2, 2, 3, 4])))
        elif kind == 2:
            items = tuple(Item(concepts[i].name) for i in rng.choice(len(concepts), 2, replace=False))
            if rng.random() < 0.12:
                chosen = rng.choice(len(tintable), 2, replace=False)
                items = tuple(Item(tintable[i].name, pick(rng, list(TINTS))) for i in chosen)
            scene = replace(scene, items=items, relation="left of" if rng.random() < 0.65 else "above")
        elif kind == 3:
            item = Item(pick(rng, tintable).name, pick(rng, list(TINTS)))
            scene = replace(scene, items=(item,), count=1 if rng.random() < 0.8 else 2)
        if scene.count == 1 and not scene.relation:
            if rng.random() < 0.1:
                scene = replace(scene, small=True)
            elif rng.random() < wander:
                scene = replace(scene, shift=tuple(int(v) for v in rng.integers(-1, 2, 2)))
        natural = [atlas.natural.get((item.concept, style)) for item in scene.items]
        if any(item.colour == colour and colour for item, colour in zip(scene.items, natural)):
            continue  # a yellow star that was tinted yellow
        if scene.background in [item.colour or colour for item, colour in zip(scene.items, natural)]:
            continue  # a red apple on red is true but teaches little
        if is_held_out(scene) or (has and not all(has(item, style, background) for item in scene.items)):
            continue
        return scene


def describe(scene: Scene, rng: np.random.Generator, atlas: Atlas, concepts: dict[str, Concept]) -> str:
    """A caption of which every word is true of `render(scene)`."""
    return "".join(text for text, _ in pieces(scene, rng, atlas, concepts))


def pieces(scene: Scene, rng: np.random.Generator, atlas: Atlas,
           concepts: dict[str, Concept]) -> list[tuple[str, int]]:
    """The caption in parts, each with its owner: 0 or 1 for words that name that thing, GROUND or NOTHING."""
    style_said = scene.style != DEFAULT_STYLE or rng.random() < 0.35
    style_within = style_said and scene.relation is None and rng.random() < 0.5  # "a flat cat"
    style = f"{scene.style} " if style_within else ""
    phrases = [_owned(_noun_phrase(item, scene, style, rng, atlas, concepts), i) for i, item in enumerate(scene.items)]
    if scene.relation is None:
        caption = phrases[0]
    elif scene.relation == "left of":
        caption = pick(rng, ["{0} and {1}", "{0} and {1}", "{0} next to {1}", "{0} next to {1}", "{0} beside {1}",
                              "{0} to the left of {1}", "{1} to the right of {0}", "{0} left of {1}"]).format(*phrases)
    else:
        caption = pick(rng, ["{0} above {1}", "{0} above {1}", "{1} below {0}", "{0} over {1}",
                              "{1} under {0}"]).format(*phrases)
    frames = ["{}"] * 8 + ["a picture of {}", "an image of {}", "a drawing of {}", "draw {}"]
    if style_said and not style_within:
        word = scene.style
        frames = [f"{{}}, {word}", f"{{}} in {word} style", f"{{}}, {word} style", f"a {word} icon of {{}}",
                  f"a {word} picture of {{}}"]
    caption = pick(rng, frames).format(caption)
    if scene.background != WHITE:
        word = scene.background
        full = f" on {'an' if word == 'orange' else 'a'} {word} background"
        short = [" without a background", " with no background"] if word == TRANSPARENT else [f" on {word}"]
        caption += _owned(pick(rng, [full, full, f", {word} background", *short]), GROUND)
    elif rng.random() < 0.1:
        caption += _owned(" on a white background", GROUND)
    return _cut(caption)


def places(scene: Scene) -> list[Place]:
    """Where each of `cast(scene)` stands."""
    half, far = TILES // 4, TILES // 2
    if scene.relation == "left of" or scene.count == 2:
        return [Place(0, half, SMALL), Place(far, half, SMALL)]
    if scene.relation == "above":
        return [Place(half, 0, SMALL), Place(half, far, SMALL)]
    if scene.count == 3:
        return [Place(half, 0, SMALL), Place(0, far, SMALL), Place(far, far, SMALL)]
    if scene.count == 4:
        return [Place(c, r, SMALL) for r in (0, far) for c in (0, far)]
    if scene.small:
        return [Place(half, half, SMALL)]
    return [Place(1 + scene.shift[0], 1 + scene.shift[1], LARGE)]


def cast(scene: Scene) -> list[Item]:
    """Every thing in the picture, in the order of `places`."""
    return list(scene.items) if len(scene.items) > 1 else [scene.items[0]] * scene.count


def owners(scene: Scene, size: int = TILES) -> np.ndarray:
    """Which thing each cell of a latent of `size` belongs to: int [size * size], else GROUND."""
    grid = np.full((TILES, TILES), GROUND)
    for i, place in enumerate(places(scene)):
        owner = i if scene.relation else 0
        grid[place.row:place.row + place.tiles, place.column:place.column + place.tiles] = owner
    return grid.repeat(size // TILES, 0).repeat(size // TILES, 1).reshape(-1)


def render(scene: Scene, rng: np.random.Generator, atlas: Atlas, jitter: float = 0.0, mirror: float = 0.0,
           side_px: int = PICTURE_PX, fixed: frozenset[str] = frozenset()) -> np.ndarray:
    """Premultiplied RGBA uint8 [side_px, side_px, 4]. `jitter` moves and sizes things by a few pixels times itself,
    `mirror` is the share of things that are mirrored, none of `fixed`."""
    canvas = blank(scene.background, side_px)
    for item, place in zip(cast(scene), places(scene)):
        sprite = atlas.sprite(item.concept, scene.style, item.colour)
        if item.concept not in fixed and rng.random() < mirror:
            sprite = sprite[:, ::-1]
        paste(canvas, sprite, place, rng, jitter)
    return np.clip(canvas + 0.5, 0, 255).astype(np.uint8)


def blank(background: str, side_px: int = PICTURE_PX) -> np.ndarray:
    """Premultiplied RGBA float32 [side_px, side_px, 4] of nothing but background."""
    canvas = np.zeros((side_px, side_px, 4), np.float32)
    if background != TRANSPARENT:
        canvas[:] = (*BACKGROUNDS[background], 255)
    return canvas


def paste(canvas: np.ndarray, sprite: np.ndarray, place: Place, rng: np.random.Generator, jitter: float) -> None:
    """Put a sprite into the middle of its place, give or take `jitter`."""
    scale = canvas.shape[0] / PICTURE_PX
    full_px = place.tiles * TILE_PX * scale
    size_px = full_px if place.tiles == LARGE else SMALL_PX * scale
    size_px = round(size_px * (1 + jitter * rng.uniform(-0.06, 0.0)))
    slack_px = (full_px - size_px) / 2
    reach_px = jitter * max(slack_px, 6 * scale)
    left = round(place.column * TILE_PX * scale + slack_px + rng.uniform(-reach_px, reach_px))
    top = round(place.row * TILE_PX * scale + slack_px + rng.uniform(-reach_px, reach_px))
    left, top = (int(np.clip(v, 0, canvas.shape[0] - size_px)) for v in (left, top))
    scaled = resized(sprite, size_px)
    area = canvas[top:top + size_px, left:left + size_px]
    area *= 1 - scaled[..., 3:] / 255
    area += scaled


def resized(sprite: np.ndarray, size_px: int) -> np.ndarray:
    """Premultiplied RGBA scaled to [size_px, size_px, 4], float32."""
    image = Image.frombytes("RGBa", (sprite.shape[1], sprite.shape[0]), np.ascontiguousarray(sprite).tobytes())
    scaled = image.resize((size_px, size_px), Image.Resampling.BILINEAR)
    return np.frombuffer(scaled.tobytes(), np.uint8).reshape(size_px, size_px, 4).astype(np.float32)


def over(picture: np.ndarray, ground: tuple[int, int, int] = BACKGROUNDS[WHITE]) -> np.ndarray:
    """Premultiplied RGBA uint8 [..., 4] laid over a plain ground: RGB uint8 [..., 3]."""
    alpha = picture[..., 3:].astype(np.float32) / 255
    return np.clip(picture[..., :3] + (1 - alpha) * np.array(ground, np.float32) + 0.5, 0, 255).astype(np.uint8)


def _noun_phrase(item: Item, scene: Scene, style: str, rng: np.random.Generator, atlas: Atlas,
                 concepts: dict[str, Concept]) -> str:
    concept = concepts[item.concept]
    colour = item.colour
    if colour is None and rng.random() < 0.1:
        colour = atlas.natural[(item.concept, scene.style)]
        if colour and colour in item.concept.split():
            colour = None
    adjective = f"{style}{colour} " if colour else style
    if scene.count > 1:
        return f"{NUMBERS[scene.count]} {adjective}{concept.plural}"
    if scene.small:
        adjective = f"{pick(rng, SIZE_WORDS['small'])} {adjective}"
    elif not scene.relation and rng.random() < 0.05:
        adjective = f"{pick(rng, SIZE_WORDS['large'])} {adjective}"
    noun = concept.name
    if concept.synonyms and rng.random() < 0.15:
        noun = pick(rng, concept.synonyms)
    phrase = adjective + noun
    choice = rng.random()
    if noun == concept.plural and scene.relation is None or choice < 0.15:
        return phrase
    if choice < 0.22:
        return f"one {phrase}"
    return with_article(phrase)


def with_article(phrase: str) -> str:
    vowel = phrase[0] in "aeiou" and not phrase.startswith(("u", "eu", "one")) or phrase.startswith(("umb", "unlock", "under", "up", "urn", "x ray"))
    return f"{'an' if vowel else 'a'} {phrase}"


# Marks around owned words while a caption is put together; no caption holds such characters itself.
_MARKS = "\ue000\ue001\ue002"
_END = "\ue003"


def _owned(text: str, owner: int) -> str:
    return f"{_MARKS[owner]}{text}{_END}"


def _cut(marked: str) -> list[tuple[str, int]]:
    parts, owner = [], NOTHING
    for part in re.split(f"([{_MARKS}{_END}])", marked):
        if part == _END:
            owner = NOTHING
        elif part and part in _MARKS:
            owner = _MARKS.index(part)
        elif part:
            parts.append((part, owner))
    return parts


def pick(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]


def load_world(atlas_path: Path) -> tuple[Atlas, list[Concept]]:
    """The atlas, and the concepts that it holds; tintable are those whose every drawing takes a tint."""
    atlas = Atlas(atlas_path)
    known = [c for c in load_concepts() if c.name in atlas.names]

    def tints(concept):
        return concept.tintable and all(takes_tint(atlas.sprite(concept.name, s))
                                        for s in atlas.styles if atlas.has(concept.name, s))

    return atlas, [replace(c, tintable=tints(c)) for c in known]
