"""Land-cover codes on a grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from rasterio.warp import Resampling, reproject

from borderrisk.errors import DataError
from borderrisk.grid import Grid
from borderrisk.sources._decoding import reason
from borderrisk.sources._tiles import ERRORS_HEARD

NO_CODE = -1


def read_land_cover(path: Path, grid: Grid) -> np.ndarray:
    """Return the nearest code of each cell, int32 of the grid's shape; ``NO_CODE`` outside.

    Raises
    ------
    DataError
        If the raster cannot be read.
    """
    codes = np.full(grid.shape, NO_CODE, "int32")
    try:
        with rasterio.Env(**ERRORS_HEARD), rasterio.open(path) as source:
            reproject(
                rasterio.band(source, 1), codes, dst_transform=grid.transform,
                dst_crs=grid.crs.to_wkt(), dst_nodata=NO_CODE, resampling=Resampling.nearest,
            )  # fmt: skip
    except rasterio.errors.RasterioError as error:
        why = reason(error)
        raise DataError(f"{path}: the land-cover raster cannot be read ({why}).") from error
    return codes
