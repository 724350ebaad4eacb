"""The colours that captions name: of backgrounds, of tints, and the one that a drawing has by nature."""

import numpy as np

WHITE, TRANSPARENT = "white", "transparent"
BACKGROUNDS = {
    WHITE: (255, 255, 255), "red": (226, 72, 72), "orange": (247, 148, 66), "yellow": (252, 217, 92),
    "green": (98, 184, 110), "teal": (52, 160, 160), "blue": (78, 136, 232), "purple": (140, 96, 204),
    "pink": (246, 160, 196), "grey": (158, 162, 170), "black": (28, 28, 34),
}
TINTS = {
    "red": (224, 44, 48), "orange": (246, 134, 32), "yellow": (252, 204, 40), "green": (48, 168, 78),
    "blue": (40, 116, 232), "purple": (132, 72, 208), "pink": (248, 120, 180),
}
# Hues up to so many degrees, and what people call them; between two names lies no name.
HUES = [(14, "red"), (18, ""), (34, "orange"), (42, ""), (62, "yellow"), (75, ""), (165, "green"), (190, ""),
        (235, "blue"), (255, ""), (285, "purple"), (310, ""), (330, "pink"), (340, ""), (361, "red")]


def natural_colour(sprite: np.ndarray) -> str | None:
    """The colour word for a premultiplied sprite if one hue fills at least 60 % of it, else None."""
    pixels = sprite[::4, ::4].reshape(-1, 4).astype(np.float32)
    rgb = pixels[pixels[:, 3] > 200, :3]
    if not len(rgb):
        return None
    hue, saturation = hue_saturation(rgb)
    value = rgb.max(-1) / 255
    index = np.searchsorted([limit for limit, _ in HUES], hue, side="right")
    words = np.array([name for _, name in HUES])[index]
    brownish = np.isin(words, ["orange", "red"]) & (value < 0.62)
    words[(saturation < 0.35) | (value < 0.25) | brownish] = ""
    shares = {word: (words == word).mean() for word in TINTS}
    best = max(shares, key=shares.get)
    return best if shares[best] >= 0.6 else None


def tinted(sprite: np.ndarray, target: tuple[int, int, int]) -> np.ndarray:
    """The sprite with its main hue replaced by `target`, light and shade kept."""
    alpha = sprite[..., 3:].astype(np.float32)
    rgb = np.clip(sprite[..., :3] * 255.0 / np.maximum(alpha, 1), 0, 255)
    near, strong = main_hue(rgb, alpha[..., 0])
    _, saturation = hue_saturation(rgb)
    mask = np.clip((60 - near) / 15, 0, 1) * np.clip((saturation - 0.12) / 0.1, 0, 1)
    light = rgb @ np.array([0.3, 0.59, 0.11], np.float32)
    ratio = (light / max(float(np.median(light[strong & (near < 45)])), 1))[..., None]
    colour = np.array(target, np.float32)
    painted = colour * np.minimum(ratio, 1) + (255 - colour) * np.clip(ratio - 1, 0, 0.6)
    mixed = rgb + (painted - rgb) * mask[..., None]
    return np.concatenate([np.round(mixed * alpha / 255), alpha], -1).clip(0, 255).astype(np.uint8)


def main_hue(rgb: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each pixel's distance in degrees from the commonest strong hue, and which pixels are strong."""
    hue, saturation = hue_saturation(rgb)
    strong = (saturation > 0.3) & (alpha > 128)
    histogram = np.bincount((hue[strong] / 10).astype(int) % 36, minlength=36)
    main = 10 * (int(np.argmax(histogram + np.roll(histogram, 1) + np.roll(histogram, -1))) + 0.5)
    return np.abs((hue - main + 180) % 360 - 180), strong


def takes_tint(sprite: np.ndarray) -> bool:
    """Whether enough of the sprite has its main hue for a tint to be seen."""
    alpha = sprite[..., 3].astype(np.float32)
    rgb = np.clip(sprite[..., :3] * 255.0 / np.maximum(alpha, 1)[..., None], 0, 255)
    near, strong = main_hue(rgb, alpha)
    return bool((strong & (near < 45)).sum() >= 0.5 * (alpha > 128).sum())


def hue_saturation(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hue in degrees and saturation 0..1 of RGB 0..255."""
    high, low = rgb.max(-1), rgb.min(-1)
    span = np.maximum(high - low, 1e-6)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    hue = np.where(high == red, (green - blue) / span % 6,
                   np.where(high == green, (blue - red) / span + 2, (red - green) / span + 4)) * 60
    return hue, np.where(high > 0, (high - low) / np.maximum(high, 1e-6), 0)
