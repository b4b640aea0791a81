"""Scores as a cloud-optimised GeoTIFF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from borderrisk.errors import DataError
from borderrisk.outputs.files import writing
from borderrisk.outputs.scene import Scene

REQUIRED = ("intensity", "probability", "risk")
OPTIONAL = ("probability_low", "probability_high", "susceptibility", "history", "risk_change")
STATEMENT = "Relative intensity of reported incidents"


def write_risk_tif(scene: Scene, path: Path) -> Path:
    """Write the scores as one COG in the CRS of the grid, one float32 band each.

    Bands are ``intensity``, ``probability`` and ``risk``, then the bounds of the probability,
    susceptibility and history as far as the scene has them, NaN outside the study area; then the
    corridors, also beyond it: ``slack_<target>`` (hours) and ``route_density``. Each has a
    description and a unit.

    Raises
    ------
    DataError
        If the scene has no scores.
    OutputError
        If the file cannot be written.

    References
    ----------
    OGC 21-026, Cloud Optimized GeoTIFF Standard.
    """
    missing = [name for name in REQUIRED if name not in scene.cells]
    if missing:
        raise DataError(f"The run has no {', '.join(missing)}; score it before writing rasters.")
    names = [*REQUIRED, *(name for name in OPTIONAL if name in scene.cells), *_corridors(scene)]
    return write_bands(scene, names, path)


def _corridors(scene: Scene) -> list[str]:
    names = sorted(str(name) for name in scene.cells.data_vars)
    return [name for name in names if name.startswith("slack_") or name == "route_density"]


def write_bands(scene: Scene, names: list[str], path: Path) -> Path:
    """Write variables of a scene as the bands of one COG (see :func:`write_risk_tif`)."""
    path = Path(path)
    bands = [scene.cells[name] for name in names]
    with writing(path) as partial:
        with rasterio.open(partial, "w", **_profile(scene, len(names))) as target:
            target.update_tags(**_tags(scene))
            target.units = tuple(str(band.attrs.get("units", "")) for band in bands)
            for index, (name, band) in enumerate(zip(names, bands, strict=True), start=1):
                target.write(band.to_numpy().astype("float32"), index)
                target.set_band_description(index, name)
                target.update_tags(index, long_name=str(band.attrs.get("long_name", name)))
        _check_complete(partial, len(names))
    return path


def _profile(scene: Scene, count: int) -> dict[str, Any]:
    rows, cols = scene.grid.shape
    return {
        "driver": "COG", "width": cols, "height": rows, "count": count, "dtype": "float32",
        "crs": scene.grid.crs, "transform": scene.grid.transform, "nodata": np.nan,
        "compress": "deflate", "predictor": "yes", "blocksize": 256,
        "overview_resampling": "average",
    }  # fmt: skip


def _tags(scene: Scene) -> dict[str, str]:
    facts = {key: scene.meta.get(key) for key in ("title", "run_id", "origin", "horizon_days")}
    tags = {key: str(value) for key, value in facts.items() if value is not None}
    statement = scene.meta.get("statement") or STATEMENT
    return tags | {"TIFFTAG_IMAGEDESCRIPTION": statement, "AREA_OR_POINT": "Area"}


def _check_complete(path: Path, count: int) -> None:
    """Read every band back: GDAL reports a full disk on closing only as a log line."""
    with rasterio.open(path) as stored:
        for index in range(1, count + 1):
            stored.checksum(index)
