"""What QGIS itself makes of the exports and styles, where it is installed."""

import json
import subprocess
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from borderrisk.outputs.export import cells_table, export, write_cells
from borderrisk.outputs.gridfiles import write_risk_tif
from borderrisk.outputs.palette import BORDER_COLOUR, INCIDENT_COLOUR, RISK_COLOURS
from borderrisk.outputs.vectorfiles import write_qml

# The python Debian's python3-qgis is for.
PYTHON = "/usr/bin/python3"
SCRIPT = """
import json, os, sys
os.environ["QT_QPA_PLATFORM"] = "offscreen"
from qgis.core import QgsApplication, QgsRasterLayer, QgsVectorLayer
app = QgsApplication([], False)
app.initQgis()
folder, found = sys.argv[1], {}
for name in ("cells", "incidents", "border", "segments"):
    layer = QgsVectorLayer(f"{folder}/all.gpkg|layername={name}", name, "ogr")
    found[name] = {"styled": layer.loadDefaultStyle()[1], "features": layer.featureCount()}
    renderer = layer.renderer()
    found[name]["type"] = renderer.type()
    if renderer.type() == "categorizedSymbol":
        parts = [(c.value(), c.symbol().color().name()) for c in renderer.categories()]
    elif renderer.type() == "graduatedSymbol":
        parts = [(r.lowerValue(), r.symbol().symbolLayer(1).color().name())
                 for r in renderer.ranges()]
    else:
        parts = [(0, renderer.symbol().color().name())]
    found[name]["colours"] = dict(parts)
cells = QgsVectorLayer(f"{folder}/cells.geojson", "cells", "ogr")
found["geojson"] = cells.renderer().type()
raster = QgsRasterLayer(f"{folder}/risk.tif", "risk")
shader = raster.renderer().shader().rasterShaderFunction()
shown = []
for value in (49.9, 50, 75, 90, 97):
    shown.append("#%02x%02x%02x" % shader.shade(value)[1:4])
found["raster"] = {"band": raster.bandName(raster.renderer().band()), "colours": shown}
print(json.dumps(found), flush=True)
os._exit(0)  # taking QGIS apart crashes in some versions
"""


def _run(script, *arguments):
    command = [PYTHON, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def opened(make_scene, tmp_path_factory):
    """What QGIS reports of a GeoPackage, and of files with a style of their name beside them."""
    if not Path(PYTHON).exists() or _run("import qgis.core").returncode:
        pytest.skip("python3-qgis is not installed")
    folder, scene = tmp_path_factory.mktemp("qgis"), make_scene()
    lines = [shapely.LineString([(60, 30 + k / 10), (60, 30.1 + k / 10)]) for k in range(8)]
    scene.layers["segments"] = gpd.GeoDataFrame({"rank": range(1, 9)}, geometry=lines, crs=4326)
    export(scene, folder / "all.gpkg", "gpkg")
    write_cells(cells_table(scene), folder / "cells.geojson", "geojson")
    write_risk_tif(scene, folder / "risk.tif")
    for name in ("risk", "cells"):
        write_qml(folder / f"{name}.qml")
    told = _run(SCRIPT, str(folder))
    assert told.returncode == 0, told.stderr[-2000:]
    return json.loads(told.stdout.splitlines()[-1])


def test_the_geopackage_opens_classified_in_the_legends_colours(opened):
    assert all(opened[name]["styled"] for name in ("cells", "incidents", "border", "segments"))
    classes = {str(k): colour for k, colour in enumerate(RISK_COLOURS, start=1)}
    assert opened["cells"]["type"] == "categorizedSymbol"
    assert opened["cells"]["colours"] == classes
    assert list(opened["incidents"]["colours"].values()) == [INCIDENT_COLOUR]
    assert list(opened["border"]["colours"].values()) == [BORDER_COLOUR]
    assert sorted(opened["segments"]["colours"].values()) == sorted(RISK_COLOURS)


def test_styles_are_applied_to_the_files_they_are_named_after(opened):
    assert opened["geojson"] == "categorizedSymbol"
    assert "risk" in opened["raster"]["band"]
    assert opened["raster"]["colours"] == list(RISK_COLOURS)
