"""Vector files of every kind give the same features, and nothing but them."""

import gzip
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer

import geopandas as gpd
import pyogrio
import pytest
import shapely

from borderrisk.errors import DataError
from borderrisk.sources.tables import describe_vector, read_vector

POINTS = [shapely.Point(60.5, 31.0), shapely.Point(61.0, 32.25)]
FRAME = gpd.GeoDataFrame({"name": ["a", "b"]}, geometry=POINTS, crs=4326)


def same(path):
    found = read_vector(path, "posts")
    names = next(found[c].tolist() for c in found if c.lower() == "name")
    places = {n: (round(p.x, 6), round(p.y, 6)) for n, p in zip(names, found.geometry, strict=True)}
    assert places == {"a": (60.5, 31.0), "b": (61.0, 32.25)}
    assert len(found) == 2


@pytest.mark.parametrize("ending", ["geojson", "gpkg", "fgb", "shp", "kml", "gpx"])
def test_formats_are_told_by_content(tmp_path, ending):
    path = tmp_path / f"points.{ending}"
    FRAME.to_file(path, driver={"gpx": "GPX", "kml": "KML"}.get(ending))
    same(path)
    if ending != "shp":
        other = path.rename(tmp_path / "points.dat")
        same(other)


def test_geoparquet_is_read(tmp_path):
    FRAME.to_parquet(tmp_path / "points.parquet")
    same(tmp_path / "points.parquet")


def test_archives_hold_a_file(tmp_path):
    FRAME.to_file(tmp_path / "points.shp")
    with zipfile.ZipFile(tmp_path / "shape.zip", "w") as archive:
        for part in tmp_path.glob("points.*"):
            archive.write(part, f"folder/{part.name}")
        archive.writestr("folder/readme.txt", "text")
    FRAME.to_file(tmp_path / "doc.kml", driver="KML")
    with zipfile.ZipFile(tmp_path / "map.kmz", "w") as archive:
        archive.write(tmp_path / "doc.kml", "doc.kml")
    FRAME.to_file(tmp_path / "points.geojson")
    data = (tmp_path / "points.geojson").read_bytes()
    (tmp_path / "points.geojson.gz").write_bytes(gzip.compress(data))
    for name in ("shape.zip", "map.kmz", "points.geojson.gz"):
        same(tmp_path / name)


@pytest.mark.parametrize("name", ["new!data", "a;b", "داده #2%20"])
def test_signs_in_a_path_mean_nothing(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    FRAME.to_file(tmp_path / "plain.geojson")
    (tmp_path / "plain.geojson").rename(folder / "plain.geojson")
    FRAME.to_file(tmp_path / "points.shp")
    for part in tmp_path.glob("points.*"):
        part.rename(folder / f"{name}{part.suffix}")
    same(folder / "plain.geojson")
    same(folder / f"{name}.shp")


def test_all_layers_are_read_and_named(tmp_path, caplog):
    for name, part in (("north", FRAME[:1]), ("south", FRAME[1:])):
        part.to_file(tmp_path / "two.gpkg", layer=name)
    same(tmp_path / "two.gpkg")
    assert "north (1), south (1)" in caplog.text


def test_a_moment_keeps_the_day_it_was_reported(tmp_path):
    path = tmp_path / "t.geojson"
    stamps = ["2013-06-01T00:30:00+04:30", "2013-01-01T12:00:00+03:30"]
    FRAME.assign(when=stamps).to_file(path)
    assert [t[:10] for t in read_vector(path, "x")["when"]] == ["2013-06-01", "2013-01-01"]


def test_a_crs_whose_name_is_no_text_is_one_sentence(tmp_path):
    FRAME.to_file(tmp_path / "points.shp")
    prj = tmp_path / "points.prj"
    prj.write_bytes(prj.read_bytes().replace(b"GCS_WGS", b"GCS_\xff\xff\xff"))
    for ask in (read_vector, describe_vector):
        with pytest.raises(DataError, match="the name of its CRS is no text"):
            ask(tmp_path / "points.shp", "posts")


def test_json_that_is_no_geojson_names_no_copy_of_ours(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('[{"latitude": 30, "longitude": 60}]')
    with pytest.raises(DataError) as raised:
        read_vector(path, "posts")
    assert "borderrisk-" not in str(raised.value)
    assert "driver" not in str(raised.value)


def test_a_crs_that_places_nothing_is_taken_as_degrees_and_said(tmp_path, caplog):
    path = tmp_path / "points.shp"
    FRAME.to_file(path)
    path.with_suffix(".prj").write_text('LOCAL_CS["site grid",UNIT["metre",1]]')
    same(path)
    assert "declares no CRS" in caplog.text
    metres = FRAME.set_geometry(shapely.transform(FRAME.geometry.to_numpy(), lambda xy: xy * 1e4))
    metres.set_crs(4326, allow_override=True).to_file(path)
    path.with_suffix(".prj").write_text('LOCAL_CS["site grid",UNIT["metre",1]]')
    with pytest.raises(DataError, match="not longitude and latitude"):
        read_vector(path, "roads")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<!DOCTYPE html><html><body>log in</body></html>", "a web page"),
        ("<OGRVRTDataSource/>", "OGRVRTDataSource"),
        ("name,lat\na,1\n", "is text"),
    ],
)
def test_what_is_no_vector_file_is_named(tmp_path, text, what):
    (tmp_path / "roads.geojson").write_text(text)
    with pytest.raises(DataError, match=f"roads: .*{what}.*GeoPackage"):
        read_vector(tmp_path / "roads.geojson", "roads")


@pytest.fixture
def server():
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", asked
        http.shutdown()


LINKED = (
    '{"type": "FeatureCollection", "crs": {"type": "%s", "properties": {"href": "%s/crs", "type": '
    '"ogcwkt"}}, "features": [{"type": "Feature", "properties": {}, "geometry": {"type": "Point", '
    '"coordinates": [1, 2]}}]}'
)


def test_no_file_makes_the_reader_ask_a_server(tmp_path, server):
    url, asked = server
    path = tmp_path / "a.geojson"
    path.write_text(LINKED % ("link", url))
    with pytest.raises(DataError, match="outside the file"):
        read_vector(path, "roads")
    path.write_text(LINKED % ("\\u006cink", url))
    with pytest.raises(DataError, match="outside the file"):
        read_vector(path, "roads")
    path.write_text(
        f"<OGRVRTDataSource><OGRVRTLayer name='x'><SrcDataSource>{url}/x.json</SrcDataSource>"
        "</OGRVRTLayer></OGRVRTDataSource>"
    )
    with pytest.raises(DataError):
        read_vector(path, "roads")
    assert asked == []
    # The server is one that the library does reach when it is let.
    path.write_text(LINKED % ("link", url))
    pyogrio.read_dataframe(path)
    assert asked


TWO_FACED = (
    "<OGRVRTDataSource><OGRVRTLayer name='a'><SrcDataSource>%s</SrcDataSource>"
    "<GeometryType>wkbPoint</GeometryType></OGRVRTLayer></OGRVRTDataSource>"
)


@pytest.mark.parametrize("source", ["{file}", "{url}/a.geojson", "WFS:{url}/wfs"])
@pytest.mark.parametrize("shell", ["<kml></kml>{}", '{{"a": "{}"}}', "<gpx></gpx>{}"])
def test_a_file_of_two_faces_leads_nowhere(tmp_path, server, monkeypatch, source, shell):
    """Drivers that know their files by a word in them would open what it names."""
    url, asked = server
    monkeypatch.setenv("no_proxy", "*")
    FRAME.to_file(tmp_path / "a.geojson")
    named = source.format(file=tmp_path / "a.geojson", url=url)
    path = tmp_path / "roads.dat"
    path.write_text(shell.format(TWO_FACED % named))
    with pytest.raises(DataError, match="roads"):
        read_vector(path, "roads")
    assert asked == []
    assert "OGR_VRT" in pyogrio.list_drivers()


def test_a_linked_crs_is_refused_however_it_is_written(tmp_path, server, monkeypatch):
    url, asked = server
    monkeypatch.setenv("no_proxy", "*")
    path = tmp_path / "a.geojson"
    plain = LINKED % ("link", url)
    for text in (
        plain.replace('"crs"', '"CRS"').replace('"link"', '"LINKED"'),
        plain.replace('"href"', '"\\u0068\\u0072ef"'),
        plain.replace('{"type": "link"', '{"a": {"b": {}}, "type": "link"'),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match="outside the file"):
            read_vector(path, "roads")
    assert asked == []
    path.write_text(plain.replace('"crs"', '"was"'))
    assert len(read_vector(path, "roads")) == 1
