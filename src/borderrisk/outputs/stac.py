"""A STAC item that lists what a run wrote."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import mapping

from borderrisk.area import reproject
from borderrisk.errors import ConfigError
from borderrisk.grid import WGS84
from borderrisk.outputs.files import write_text
from borderrisk.outputs.rasters import OPTIONAL, REQUIRED
from borderrisk.outputs.scene import Scene

_PARQUET = "application/vnd.apache.parquet"
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"


@dataclass(frozen=True)
class _Kind:
    pattern: str
    media_type: str
    title: str
    role: str


_KINDS = (
    _Kind("risk.tif", _COG, "Scores", "data"),
    _Kind("cells.parquet", _PARQUET, "Scored cells", "data"),
    _Kind("cells.geojson", "application/geo+json", "Scored cells", "data"),
    _Kind("features.nc", "application/netcdf", "Features", "data"),
    _Kind("segments.geojson", "application/geo+json", "Border segments", "data"),
    _Kind("corridors.geojson", "application/geo+json", "Corridors", "data"),
    _Kind("map*.html", "text/html", "Map", "overview"),
    _Kind("report.html", "text/html", "Report", "metadata"),
    _Kind("report.md", "text/markdown", "Report", "metadata"),
    _Kind("scorecard.json", "application/json", "Scorecard", "metadata"),
    _Kind("metrics.json", "application/json", "Metrics", "metadata"),
    _Kind("manifest.json", "application/json", "Manifest", "metadata"),
    _Kind("config.yaml", "application/yaml", "Config", "metadata"),
    _Kind("risk.qml", "application/xml", "QGIS style of risk.tif", "metadata"),
    _Kind("cells.qml", "application/xml", "QGIS style of the cells", "metadata"),
    _Kind("model.skops", "application/octet-stream", "Fitted model", "data"),
    _Kind("figures/risk.png", "image/png", "Risk map", "thumbnail"),
    _Kind("figures/*.png", "image/png", "Figure", "overview"),
)


def write_stac_item(scene: Scene, folder: Path) -> Path:
    """Write ``stac-item.json`` for the files that are in the folder of a run.

    Parameters
    ----------
    scene : Scene
        For place, time and projection.
    folder : Path
        Folder of the run; assets are listed relative to it.

    Returns
    -------
    Path
        The item.

    Raises
    ------
    ConfigError
        If the optional ``pystac`` package is missing.
    OutputError
        If the file cannot be written.

    References
    ----------
    SpatioTemporal Asset Catalog 1.1.0, with the projection (2.0.0) and raster (1.1.0) extensions.
    """
    if importlib.util.find_spec("pystac") is None:
        raise ConfigError("A STAC item needs the pystac package: pip install 'borderrisk[stac]'.")
    folder = Path(folder)
    item = build_item(scene, folder)
    text = json.dumps(item, indent=2, ensure_ascii=False)
    return write_text(text + "\n", folder / "stac-item.json")


def build_item(scene: Scene, folder: Path) -> dict[str, Any]:
    """Build the item as a dict (see :func:`write_stac_item`)."""
    import pystac
    from pystac.extensions.projection import ProjectionExtension

    meta, footprint = scene.meta, _footprint(scene)
    item = pystac.Item(
        id=str(meta.get("run_id") or "borderrisk"),
        geometry=mapping(footprint),
        bbox=[round(value, 6) for value in footprint.bounds],
        datetime=_origin(scene),
        properties=_properties(scene),
    )
    projection = ProjectionExtension.ext(item, add_if_missing=True)
    projection.apply(
        code=None, wkt2=scene.grid.crs.to_wkt(), shape=list(scene.grid.shape),
        transform=list(scene.grid.transform)[:6], bbox=list(scene.grid.bounds),
    )  # fmt: skip
    for path, kind in _found(folder):
        href = f"./{path.relative_to(folder).as_posix()}"
        asset = pystac.Asset(href, kind.title, media_type=kind.media_type, roles=[kind.role])
        item.add_asset(path.relative_to(folder).with_suffix("").as_posix().replace("/", "-")
                       + path.suffix.replace(".", "-"), asset)  # fmt: skip
        if path.name == "risk.tif":
            _describe_bands(scene, asset)
    return item.to_dict(include_self_link=False, transform_hrefs=False)


def _found(folder: Path) -> list[tuple[Path, _Kind]]:
    """Files of the folder with what they are; each once."""
    found: dict[Path, _Kind] = {}
    for kind in _KINDS:
        for path in sorted(folder.glob(kind.pattern)):
            found.setdefault(path, kind)
    return list(found.items())


def _footprint(scene: Scene) -> Any:
    simple = scene.area.polygon.simplify(scene.grid.cell_size_m / 2)
    lonlat = reproject(simple, scene.grid.crs, WGS84)
    return shapely.set_precision(shapely.make_valid(lonlat), 1e-6)


def _origin(scene: Scene) -> datetime:
    """Date of the forecast; the last incident's if the scene does not tell."""
    origin = scene.meta.get("origin")
    if origin:
        return datetime.fromisoformat(str(origin)[:10]).replace(tzinfo=UTC)
    last = scene.incidents["date"].max() if len(scene.incidents) else datetime(2000, 1, 1)
    return datetime(last.year, last.month, last.day, tzinfo=UTC)


def _properties(scene: Scene) -> dict[str, Any]:
    meta, start = scene.meta, _origin(scene)
    end = start + timedelta(days=float(meta.get("horizon_days") or 0))
    providers = [
        {"name": str(source.get("attribution") or source.get("title")), "roles": ["producer"]}
        for source in meta.get("sources", [])
    ]
    properties: dict[str, Any] = {
        "title": str(meta.get("title") or "Border risk"),
        "description": str(meta.get("statement") or "Relative intensity of reported incidents."),
        "start_datetime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "end_datetime": f"{end:%Y-%m-%dT%H:%M:%SZ}",
        "gsd": scene.grid.cell_size_m,
    }
    return properties | ({"providers": providers} if providers else {})


def _describe_bands(scene: Scene, asset: Any) -> None:
    from pystac.extensions.raster import DataType, NoDataStrings, RasterBand, RasterExtension

    names = [name for name in (*REQUIRED, *OPTIONAL) if name in scene.cells]
    attrs = {name: scene.cells[name].attrs for name in names}
    RasterExtension.ext(asset, add_if_missing=True).bands = [
        RasterBand.create(
            nodata=NoDataStrings.NAN, data_type=DataType.FLOAT32,
            unit=str(attrs[name].get("units", "1")),
            spatial_resolution=scene.grid.cell_size_m,
        )
        for name in names
    ]  # fmt: skip
    asset.extra_fields["bands"] = [
        {"name": name, "description": str(attrs[name].get("long_name", name))} for name in names
    ]
