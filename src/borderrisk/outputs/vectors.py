"""Write a vector layer with GDAL and make sure that all of it arrived."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import pyogrio


def write_vector(
    table: gpd.GeoDataFrame, path: Path, layer: str, driver: str, **options: Any
) -> None:
    """Write one layer.

    Parameters
    ----------
    table : geopandas.GeoDataFrame
        Any CRS.
    path : Path
        File to make, or to add the layer to where the driver has several.
    layer : str
        Name of the layer.
    driver : str
        A GDAL vector driver.
    **options
        GDAL layer creation options.

    Raises
    ------
    OSError
        If fewer features can be read back than were written: GDAL reports a full disk only in
        part of its drivers.
    """
    pyogrio.write_dataframe(
        table.rename_geometry("geom"), path, layer=layer, driver=driver, **options
    )
    stored = pyogrio.read_info(path, layer=layer, force_feature_count=True)["features"]
    if stored != len(table):
        raise OSError(f"only {stored} of {len(table)} features were stored; is the disk full?")
