import numpy as np
import pytest

from training.data import load_concepts


@pytest.fixture(scope="session")
def concepts():
    return load_concepts()


@pytest.fixture(scope="session")
def atlas_path(tmp_path_factory, concepts):
    """Stand-in sprites: a magenta disc for every concept and style."""
    y, x = np.mgrid[:256, :256]
    disc = ((x - 127.5) ** 2 + (y - 127.5) ** 2 < 110**2)[..., None]
    sprite = (disc * np.array([200, 0, 160, 255])).astype(np.uint8)
    count = len(concepts)
    path = tmp_path_factory.mktemp("atlas") / "atlas.npz"
    np.savez(path, sprites=np.repeat(sprite[None], 2 * count, 0), concept=np.tile(np.arange(count), 2),
             style=np.repeat([0, 1], count), concepts=np.array([c.name for c in concepts]), styles=np.array(["3d", "flat"]))
    return path
