"""Looks into the pictures that come back."""

import base64
import io

from PIL import Image


def opened(data):
    """A picture from bytes or from base64, decoded to its last pixel."""
    if isinstance(data, str):
        data = base64.b64decode(data, validate=True)
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def has_content(picture):
    """Whether there is more on it than one colour."""
    return any(low != high for low, high in picture.convert("RGB").getextrema())


def difference(one, other):
    """Mean difference of two pictures of one size, 0 to 255."""
    pairs = zip(one.convert("RGB").tobytes(), other.convert("RGB").tobytes(), strict=True)
    return sum(abs(a - b) for a, b in pairs) / (one.width * one.height * 3)
