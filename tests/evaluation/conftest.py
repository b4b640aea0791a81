import pytest


@pytest.fixture(scope="module")
def cells(world):
    """Cells of the world of the test module."""
    return world.cells()


@pytest.fixture(scope="module")
def panel(world):
    """Incidents of the world of the test module."""
    return world.panel()
