import pytest
from affine import Affine

from borderrisk.grid import Grid, laea_crs


@pytest.fixture
def grid():
    """6 x 8 cells of 10 km around 60 E, 31 N."""
    return Grid(laea_crs(60, 31), Affine(10_000, 0, -40_000, 0, -10_000, 30_000), (6, 8))
