"""What QGIS itself makes of the exports and styles, where it is installed."""

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

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
def styles(make_scene, tmp_path_factory):
    """Style by layer of an exported GeoPackage, and its columns."""
    path, scene = tmp_path_factory.mktemp("styles") / "all.gpkg", make_scene()
    line = shapely.LineString([(60, 30), (60, 31)])
    table = {"rank": [1], "from_km": [0.0], "why_en": ["So."], "hours_to_target": [2.0]}
    scene.layers["segments"] = gpd.GeoDataFrame(table, geometry=[line], crs=4326)
    export(scene, path, "gpkg")
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT f_table_name, styleQML FROM layer_styles").fetchall()
        names = database.execute("SELECT table_name, column_name, title FROM gpkg_data_columns")
        titles = {(layer, column): title for layer, column, title in names}
        told = dict(database.execute("SELECT table_name, description FROM gpkg_contents"))
    columns = {name: list(gpd.read_file(path, layer=name).columns)[:-1] for name, _ in rows}
    parsed = {name: ElementTree.fromstring(text.split("\n", 1)[1]) for name, text in rows}
    return parsed, columns, told, titles


def test_every_column_has_a_name_with_its_unit(styles):
    for layer, columns in styles[1].items():
        found = {name: styles[3].get((layer, name)) for name in columns}
        assert all(found.values()), (layer, found)
    assert styles[3]["cells", "intensity"].endswith("(incidents per 100 km² per year)")
    assert styles[3]["segments", "from_km"] == "From (km)"
    aliases = {a.get("field"): a.get("name") for a in styles[0]["cells"].iter("alias")}
    assert {"cell_id", *aliases} == set(styles[1]["cells"])
    assert styles[0]["cells"].findtext("mapTip") == '[% "why_en" %]'


def test_what_is_not_to_be_relied_on_is_hatched_and_incidents_have_their_circles(styles):
    symbols = styles[0]["cells"].findall("./renderer-v2/symbols/symbol")
    assert len(symbols) == 5
    for symbol in symbols:
        plain, hatch = symbol.findall("layer")
        values = {o.get("name"): o.get("value") for o in hatch.iter("Option")}
        assert values["style"] == "b_diagonal"
        assert "\"trust\" NOT IN ('ok', '')" in values["expression"]
        assert hatch.find(".//Option[@name='enabled']") is not None
        assert plain.find("data_defined_properties") is None
    _, circle = styles[0]["incidents"].findall("./renderer-v2/symbols/symbol/layer")
    values = {o.get("name"): o.get("value") for o in circle.iter("Option")}
    assert values["expression"] == '2000 * "radius_km"'
    assert values["size_unit"] == "RenderMetersInMapUnits"


def test_layers_say_of_which_period_they_are(styles, make_scene):
    period = " to ".join(make_scene().period)
    assert all(period in styles[2][name] for name in styles[0])


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
