"""A limit on file size stands in for a full disk: writing beyond it fails with EFBIG."""

import resource
from contextlib import contextmanager

import pytest

from borderrisk.errors import OutputError
from borderrisk.outputs.export import FORMATS, cells_table, write_cells
from borderrisk.outputs.gridfiles import write_features, write_risk_tif


@contextmanager
def _space_for(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def scene(make_scene):
    return make_scene(rows=40, cols=60)


@pytest.mark.parametrize("format", FORMATS)
def test_cells_on_a_full_disk(scene, tmp_path, format):
    cells = cells_table(scene)
    target = tmp_path / f"c{FORMATS[format][0]}"
    with pytest.raises(OutputError, match="free space"), _space_for(30_000):
        write_cells(cells, target, format)
    assert not list(tmp_path.iterdir())


def test_raster_on_a_full_disk(scene, tmp_path):
    with pytest.raises(OutputError, match="free space"), _space_for(4_000):
        write_risk_tif(scene, tmp_path / "risk.tif")
    assert not list(tmp_path.iterdir())


def test_features_on_a_full_disk(scene, tmp_path):
    with pytest.raises(OutputError, match="free space"), _space_for(4_000):
        write_features(scene.cells, tmp_path / "features.nc")
    assert not list(tmp_path.iterdir())
