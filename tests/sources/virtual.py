"""Tiles and virtual rasters for tests, as gdalbuildvrt writes them."""

import rasterio
from affine import Affine

PIXEL = 0.001
WEST, NORTH = 59.0, 35.0


def write_tile(path, values, row=0, col=0, *, unit=None, **profile):
    """Write an array to a GeoTIFF whose corner is at a pixel of the mosaic."""
    transform = Affine(PIXEL, 0, WEST + col * PIXEL, 0, -PIXEL, NORTH - row * PIXEL)
    rows, cols = values.shape
    profile = {"driver": "GTiff", "crs": "EPSG:4326", "transform": transform,
               "compress": "deflate", "blockysize": min(100, rows)} | profile  # fmt: skip
    with rasterio.open(
        path, "w", count=1, dtype=values.dtype, height=rows, width=cols, **profile
    ) as ds:
        ds.write(values, 1)
        if unit:
            ds.set_band_unit(1, unit)
    return path


def piece(name, row, col, rows, cols, inside=""):
    """Return the source of a whole file at a pixel of the mosaic."""
    kind = "ComplexSource" if inside else "SimpleSource"
    return (
        f"<{kind}><SourceFilename relativeToVRT='1'>{name}</SourceFilename>"
        f"<SourceBand>1</SourceBand><SrcRect xOff='0' yOff='0' xSize='{cols}' ySize='{rows}'/>"
        f"<DstRect xOff='{col}' yOff='{row}' xSize='{cols}' ySize='{rows}'/>{inside}</{kind}>"
    )


def write_vrt(path, shape, pieces, *, dtype="Int16", band="", more=""):
    """Write a virtual raster of some rows and columns."""
    path.write_text(
        f"<VRTDataset rasterXSize='{shape[1]}' rasterYSize='{shape[0]}'><SRS>EPSG:4326</SRS>"
        f"<GeoTransform>{WEST}, {PIXEL}, 0, {NORTH}, 0, {-PIXEL}</GeoTransform>"
        f"<VRTRasterBand dataType='{dtype}' band='1'>{band}{''.join(pieces)}</VRTRasterBand>"
        f"{more}</VRTDataset>"
    )
    return path
