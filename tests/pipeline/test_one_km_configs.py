"""The configs for a DEM of one's own, on a finer one than is shipped: 1 km pixels, 2 km cells."""

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from rasterio.warp import Resampling, reproject

from borderrisk.config import load_config
from borderrisk.pipeline import run as jobs
from borderrisk.pipeline import steps
from borderrisk.pipeline.assembly import relief
from borderrisk.pipeline.stages import Stages

from .conftest import CONFIGS

SHIPPED = CONFIGS.parent / "data" / "raw" / "elevation_5arcmin.tif"
PIXEL, MARGIN = 0.01, 2.5
WINDOWS = {
    "mashhad": ((60.0, 34.5, 61.5, 36.0), "{torbat: [60.62, 35.24]}"),
    "sistan-baluchestan": ((60.2, 28.8, 61.8, 30.2), "{zahedan: [60.86, 29.5]}"),
}


def finer(path, window):
    """Write the shipped elevation around a window on pixels of 1 km, with hills of 40 m."""
    west, south, east, north = np.add(window, [-MARGIN, -MARGIN, MARGIN, MARGIN])
    shape = round((north - south) / PIXEL), round((east - west) / PIXEL)
    transform = from_origin(west, north, PIXEL, PIXEL)
    row, col = np.indices(shape)
    values = np.empty(shape, "float32")
    with rasterio.open(SHIPPED) as source:
        reproject(
            rasterio.band(source, 1), values, dst_transform=transform, dst_crs="EPSG:4326",
            resampling=Resampling.bilinear,
        )  # fmt: skip
    values += (40 * np.sin(row) * np.cos(col)).astype("float32")
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    size = {"height": shape[0], "width": shape[1], "transform": transform}
    with rasterio.open(path, "w", **profile, **size) as target:
        target.write(values, 1)
    return path


def on_two_km(name, place):
    window, targets = WINDOWS[name]
    return load_config(
        CONFIGS / f"{name}-1km.yaml",
        {
            "data.elevation.path": str(finer(place / "dem.tif", window)),
            "grid.cell_size_m": "2000",
            "study_area.window": str(list(window)),
            "study_area.border_strip_km": "60",
            "study_area.halo_km": "20",
            "features.travel.targets": targets,
            "corridors.routes": "4",
            "model.parameters": "{n_estimators: 20}",
            "compute.cache": str(place / "cache"),
        },
    )


@pytest.mark.parametrize("name", WINDOWS)
def test_features_and_hillshade_use_the_finer_elevation(name, tmp_path):
    stages = Stages.of(on_two_km(name, tmp_path))
    ds = stages[steps.features]
    study = ds["exposure"].to_numpy() > 0
    assert study.sum() > 1000
    for feature in ("slope_p90", "ruggedness", "tpi_10km", "hours_from_border"):
        assert np.isfinite(ds[feature].to_numpy()[study]).mean() > 0.99, feature
    # 1 km pixels: several in a cell, and one of the hillshade for each.
    assert (ds["elevation_range"].to_numpy()[study] > 0).mean() > 0.9
    elevation = stages.inputs.elevation
    shown = relief(elevation, stages[steps.area].grid)
    assert shown.transform.a == pytest.approx(elevation.transform.a)
    assert elevation.transform.a == pytest.approx(PIXEL)


def test_a_run_maps_its_focus(tmp_path):
    result = jobs.run(
        on_two_km("sistan-baluchestan", tmp_path),
        out=tmp_path / "run", evaluate=False, replicates=0,
    )  # fmt: skip
    assert (result.folder / "map-sistan-baluchestan.html").exists()
    assert result.cells["risk"].max() > 99
