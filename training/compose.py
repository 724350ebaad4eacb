"""Scenes of sprites and captions that are true of them.

A `Scene` says everything that is in a picture. `sample_scene` draws one at random (never a held-out
cell), `describe` puts it into words, `render` into pixels. Sprites are premultiplied RGBA.
"""

import colorsys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from training.data import Concept, load_concepts

PICTURE_PX = 256
WHITE = "white"
BACKGROUNDS = {
    WHITE: (255, 255, 255), "red": (226, 72, 72), "orange": (247, 148, 66), "yellow": (252, 217, 92),
    "green": (98, 184, 110), "teal": (52, 160, 160), "blue": (78, 136, 232), "purple": (140, 96, 204),
    "pink": (246, 160, 196), "grey": (158, 162, 170), "black": (28, 28, 34),
}
TINTS = {
    "red": (224, 44, 48), "orange": (246, 134, 32), "yellow": (252, 204, 40), "green": (48, 168, 78),
    "blue": (40, 116, 232), "purple": (132, 72, 208), "pink": (248, 120, 180),
}
NUMBERS = {2: "two", 3: "three", 4: "four"}
DEFAULT_STYLE = "3d"

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
    """`relation` is None for one kind of thing, else 'left of' or 'above' (first to second)."""

    items: tuple[Item, ...]
    count: int = 1
    relation: str | None = None
    style: str = DEFAULT_STYLE
    background: str = WHITE


@dataclass(frozen=True)
class Mix:
    """Shares of each kind of scene; they sum to 1."""

    single: float = 0.6
    count: float = 0.2
    pair: float = 0.1
    tint: float = 0.1


class Atlas:
    """The sprites, looked up by (concept, style) and tint."""

    def __init__(self, path: Path):
        loaded = np.load(path)
        self.styles = [str(s) for s in loaded["styles"]]
        self.names = [str(c) for c in loaded["concepts"]]
        sprites = loaded["sprites"]
        keys = zip(loaded["concept"], loaded["style"])
        self._sprites = {(self.names[c], self.styles[s], None): sprites[i] for i, (c, s) in enumerate(keys)}
        self.natural = {key[:2]: natural_colour(sprite) for key, sprite in list(self._sprites.items())}

    def has(self, concept: str, style: str) -> bool:
        return (concept, style, None) in self._sprites

    def sprite(self, concept: str, style: str, tint: str | None = None) -> np.ndarray:
        """Premultiplied RGBA uint8 [256, 256, 4]."""
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
                 flat_share: float = 0.3) -> Scene:
    """A random scene, with no held-out cell."""
    tintable = [c for c in concepts if c.tintable]
    while True:
        kind = rng.choice(4, p=[mix.single, mix.count, mix.pair, mix.tint])
        style = "flat" if rng.random() < flat_share else DEFAULT_STYLE
        background = WHITE if rng.random() < 0.5 else _pick(rng, list(BACKGROUNDS)[1:])
        scene = Scene((Item(_pick(rng, concepts).name),), style=style, background=background)
        if kind == 1:
            scene = replace(scene, count=int(rng.choice([2, 2, 3, 4])))
        elif kind == 2:
            first, second = rng.choice(len(concepts), 2, replace=False)
            relation = "left of" if rng.random() < 0.65 else "above"
            scene = replace(scene, items=(Item(concepts[first].name), Item(concepts[second].name)),
                            relation=relation)
        elif kind == 3:
            concept = _pick(rng, tintable).name
            colour = _pick(rng, [t for t in TINTS if t != atlas.natural[(concept, style)]])
            scene = replace(scene, items=(Item(concept, colour),), count=1 if rng.random() < 0.85 else 2)
        if scene.background in [item.colour or atlas.natural.get((item.concept, style)) for item in scene.items]:
            continue  # a red apple on red is true but teaches little
        if not is_held_out(scene):
            return scene


def describe(scene: Scene, rng: np.random.Generator, atlas: Atlas, concepts: dict[str, Concept]) -> str:
    """A caption of which every word is true of `render(scene)`."""
    phrases = [_noun_phrase(item, scene, rng, atlas, concepts) for item in scene.items]
    if scene.relation is None:
        caption = phrases[0]
    else:
        first, second = phrases
        if scene.relation == "left of":
            pattern = _pick(rng, ["{0} and {1}", "{0} and {1}", "{0} next to {1}", "{0} next to {1}", "{0} beside {1}",
                                  "{0} to the left of {1}", "{1} to the right of {0}", "{0} left of {1}"])
        else:
            pattern = _pick(rng, ["{0} above {1}", "{0} above {1}", "{1} below {0}", "{0} over {1}", "{1} under {0}"])
        caption = pattern.format(first, second)
    frames = ["{}"] * 8 + ["a picture of {}", "an image of {}", "a drawing of {}", "draw {}"]
    if scene.style != DEFAULT_STYLE or rng.random() < 0.35:
        word = scene.style
        frames = [f"{word} {{}}", f"{{}}, {word}", f"{{}} in {word} style", f"{{}}, {word} style", f"a {word} icon of {{}}",
                  f"a {word} picture of {{}}"]
    caption = _pick(rng, frames).format(caption)
    if scene.background != WHITE:
        word = scene.background
        full = f" on {'an' if word == 'orange' else 'a'} {word} background"
        caption += _pick(rng, [full, full, f" on {word}", f", {word} background"])
    elif rng.random() < 0.1:
        caption += " on a white background"
    return caption


def render(scene: Scene, rng: np.random.Generator, atlas: Atlas, jitter: float = 1.0) -> np.ndarray:
    """RGB uint8 [256, 256, 3]. The random generator moves and sizes things a little; `jitter` says how
    little, and 0 not at all."""
    canvas = np.empty((PICTURE_PX, PICTURE_PX, 3), np.float32)
    canvas[:] = BACKGROUNDS[scene.background]
    for item, (x, y, size) in zip(_cast(scene), _places(scene)):
        size_px = round(PICTURE_PX * size * (1 + jitter * rng.uniform(-0.05, 0.04)))
        reach_px = jitter * (6 if size > 0.6 else 4)
        left = round(PICTURE_PX * x - size_px / 2 + rng.uniform(-reach_px, reach_px))
        top = round(PICTURE_PX * y - size_px / 2 + rng.uniform(-reach_px, reach_px))
        left, top = (int(np.clip(v, 0, PICTURE_PX - size_px)) for v in (left, top))
        sprite = resized(atlas.sprite(item.concept, scene.style, item.colour), size_px)
        area = canvas[top:top + size_px, left:left + size_px]
        area *= 1 - sprite[..., 3:] / 255
        area += sprite[..., :3]
    return np.clip(canvas + 0.5, 0, 255).astype(np.uint8)


def resized(sprite: np.ndarray, size_px: int) -> np.ndarray:
    """Premultiplied RGBA scaled to [size_px, size_px, 4], float32."""
    image = Image.frombytes("RGBa", (sprite.shape[1], sprite.shape[0]), sprite.tobytes())
    scaled = image.resize((size_px, size_px), Image.Resampling.BILINEAR)
    return np.frombuffer(scaled.tobytes(), np.uint8).reshape(size_px, size_px, 4).astype(np.float32)


def natural_colour(sprite: np.ndarray) -> str | None:
    """The colour word for a sprite if one hue fills at least 60 % of it, else None."""
    pixels = sprite[::4, ::4].reshape(-1, 4).astype(np.float32)
    pixels = pixels[pixels[:, 3] > 200, :3] / 255
    words = [_colour_word(*colorsys.rgb_to_hsv(*p)) for p in pixels]
    best = max(set(words), key=words.count)
    return best if best in TINTS and words.count(best) >= 0.6 * len(words) else None


def tinted(sprite: np.ndarray, target: tuple[int, int, int]) -> np.ndarray:
    """The sprite with its main hue replaced by `target`, light and shade kept."""
    alpha = sprite[..., 3:].astype(np.float32)
    rgb = np.clip(sprite[..., :3] * 255.0 / np.maximum(alpha, 1), 0, 255)
    hue, saturation = hue_saturation(rgb)
    strong = (saturation > 0.3) & (alpha[..., 0] > 128)
    histogram = np.bincount((hue[strong] / 10).astype(int) % 36, minlength=36)
    main = 10 * (int(np.argmax(histogram + np.roll(histogram, 1) + np.roll(histogram, -1))) + 0.5)
    distance = np.abs((hue - main + 180) % 360 - 180)
    mask = np.clip((60 - distance) / 15, 0, 1) * np.clip((saturation - 0.12) / 0.1, 0, 1)
    light = rgb @ np.array([0.3, 0.59, 0.11], np.float32)
    ratio = (light / max(float(np.median(light[strong & (distance < 45)])), 1))[..., None]
    colour = np.array(target, np.float32)
    painted = colour * np.minimum(ratio, 1) + (255 - colour) * np.clip(ratio - 1, 0, 0.6)
    mixed = rgb + (painted - rgb) * mask[..., None]
    return np.concatenate([np.round(mixed * alpha / 255), alpha], -1).clip(0, 255).astype(np.uint8)


def _cast(scene: Scene) -> list[Item]:
    return list(scene.items) if len(scene.items) > 1 else [scene.items[0]] * scene.count


def _places(scene: Scene) -> list[tuple[float, float, float]]:
    """(centre x, centre y, size), each as a share of the picture."""
    if scene.relation == "left of":
        return [(0.26, 0.5, 0.46), (0.74, 0.5, 0.46)]
    if scene.relation == "above":
        return [(0.5, 0.26, 0.46), (0.5, 0.74, 0.46)]
    return {1: [(0.5, 0.5, 0.8)],
            2: [(0.26, 0.5, 0.46), (0.74, 0.5, 0.46)],
            3: [(0.5, 0.26, 0.45), (0.26, 0.74, 0.45), (0.74, 0.74, 0.45)],
            4: [(0.26, 0.26, 0.45), (0.74, 0.26, 0.45), (0.26, 0.74, 0.45), (0.74, 0.74, 0.45)]}[scene.count]


def _noun_phrase(item: Item, scene: Scene, rng: np.random.Generator, atlas: Atlas,
                 concepts: dict[str, Concept]) -> str:
    concept = concepts[item.concept]
    colour = item.colour
    if colour is None and rng.random() < 0.1:
        colour = atlas.natural[(item.concept, scene.style)]
        if colour == item.concept:
            colour = None
    adjective = f"{colour} " if colour else ""
    if scene.count > 1:
        return f"{NUMBERS[scene.count]} {adjective}{concept.plural}"
    noun = concept.name
    if concept.synonyms and rng.random() < 0.12:
        noun = _pick(rng, concept.synonyms)
    phrase = adjective + noun
    choice = rng.random()
    if noun == concept.plural and scene.relation is None or choice < 0.15:
        return phrase
    if choice < 0.22:
        return f"one {phrase}"
    return f"{'an' if phrase[0] in 'aeiou' and not phrase.startswith(('u', 'eu')) else 'a'} {phrase}"


def _colour_word(hue: float, saturation: float, value: float) -> str:
    degrees = hue * 360
    if saturation < 0.35 or value < 0.25:
        return "none"
    for limit, word in [(14, "red"), (18, "none"), (34, "orange"), (42, "none"), (62, "yellow"), (75, "none"),
                        (165, "green"), (190, "none"), (235, "blue"), (255, "none"), (285, "purple"),
                        (310, "none"), (330, "pink"), (340, "none"), (361, "red")]:
        if degrees < limit:
            return "none" if word in ("orange", "red") and value < 0.62 else word
    return "none"


def hue_saturation(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hue in degrees and saturation 0..1 of RGB 0..255."""
    high, low = rgb.max(-1), rgb.min(-1)
    span = np.maximum(high - low, 1e-6)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    hue = np.where(high == red, (green - blue) / span % 6,
                   np.where(high == green, (blue - red) / span + 2, (red - green) / span + 4)) * 60
    return hue, np.where(high > 0, (high - low) / np.maximum(high, 1e-6), 0)


def _pick(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]


def load_world(atlas_path: Path) -> tuple[Atlas, list[Concept]]:
    """The atlas, and the concepts that it holds."""
    atlas = Atlas(atlas_path)
    return atlas, [c for c in load_concepts() if c.name in atlas.names]
