import numpy as np
import pytest

from training.compose import load_world
from training.data import load_concepts


@pytest.fixture(scope="session")
def concepts():
    return load_concepts()


@pytest.fixture(scope="session")
def atlas_path(tmp_path_factory, concepts):
    """Stand-in sprites: a magenta disc for every concept and style."""
    y, x = np.mgrid[:64, :64]
    disc = ((x - 31.5) ** 2 + (y - 31.5) ** 2 < 27**2)[..., None]
    sprite = (disc * np.array([200, 0, 160, 255])).astype(np.uint8)
    count, styles = len(concepts), ["3d", "flat", "cartoon"]
    path = tmp_path_factory.mktemp("atlas") / "atlas.npz"
    np.savez(path, sprites=np.repeat(sprite[None], len(styles) * count, 0), concept=np.tile(np.arange(count), len(styles)),
             style=np.repeat(range(len(styles)), count), natural=np.array([""] * len(styles) * count),
             concepts=np.array([c.name for c in concepts]), styles=np.array(styles))
    return path


@pytest.fixture(scope="session")
def world(atlas_path):
    return load_world(atlas_path)
