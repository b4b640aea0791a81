import geopandas as gpd
import pytest
import shapely
from shapely.geometry import LineString, MultiLineString, Point, Polygon

from borderrisk.errors import DataError
from borderrisk.sources.world import all_lines, read_all_borders, read_borders

NORTH = LineString([(60, 34), (60, 36)])
SOUTH = LineString([(60, 30), (60, 34)])


@pytest.fixture
def write(tmp_path):
    def _write(pairs, shapes, crs="EPSG:4326", name="borders.gpkg"):
        path = tmp_path / name
        gpd.GeoDataFrame({"pair": pairs}, geometry=shapes, crs=crs).to_file(path)
        return path

    return _write


def test_home_comes_first_whatever_the_file_says(write):
    path = write(["AFG-IRN", "IRN-PAK", "AFG-PAK"], [NORTH, SOUTH, SOUTH])
    lines = read_borders(path, "IRN", ["PAK", "AFG"])
    assert lines["pair"].tolist() == ["IRN-PAK", "IRN-AFG"]
    assert list(lines.columns) == ["pair", "country_a", "country_b", "geometry"]
    assert lines.geometry[1].equals(NORTH)
    assert lines.index.tolist() == [0, 1]
    assert all_lines(lines).length == 6


def test_a_line_that_both_sides_bring_counts_once(write, caplog):
    other_side = LineString([(60.01, 36), (60.02, 35), (60.01, 34)])
    path = write(["AFG-IRN", "IRN-AFG", "IRN-PAK"], [other_side, NORTH, SOUTH])
    lines = read_borders(path, "IRN", ["AFG", "PAK"])
    assert shapely.length(lines.geometry.to_numpy()).tolist() == pytest.approx([2, 4], rel=1e-3)
    assert "gives 100 % of the line of IRN-AFG twice" in caplog.text


def test_pieces_end_to_end_and_meanders_all_count(write, caplog):
    north = LineString([(60, 35), (60, 36)])
    middle = LineString([(60, 34), (60.4, 34.5), (60, 35)])
    meander = LineString([(60, 36), (60.02, 36), (60.02, 35.95)])
    path = write(["IRN-AFG"] * 3, [north, middle, meander])
    lines = read_borders(path, "IRN", ["AFG"])
    assert lines.geometry[0].length == pytest.approx(north.length + middle.length + meander.length)
    assert not caplog.text


def test_neighbours_may_be_any_iterable(write):
    path = write(["IRN-AFG", "IRN-PAK"], [NORTH, SOUTH])
    assert len(read_borders(path, "IRN", iter(["AFG", "PAK"]))) == 2


def test_the_window_cuts_lines_and_drops_pairs_outside(write):
    path = write(["IRN-AFG", "IRN-PAK"], [NORTH, SOUTH])
    lines = read_borders(path, "IRN", ["AFG", "PAK"], window=(59, 34, 61, 35))
    assert lines["pair"].tolist() == ["IRN-AFG"]
    assert lines.geometry[0].bounds == (60, 34, 60, 35)


def test_a_window_without_any_line_is_refused(write):
    path = write(["IRN-AFG"], [NORTH])
    with pytest.raises(DataError, match="no border of IRN lies in the window"):
        read_borders(path, "IRN", ["AFG"], window=(0, 0, 1, 1))


def test_a_missing_pair_lists_the_others(write):
    path = write(["IRN-AFG", "AFG-PAK"], [NORTH, SOUTH])
    with pytest.raises(DataError, match=r"between IRN and PAK \(available: IRN-AFG, AFG-PAK\)"):
        read_borders(path, "IRN", ["PAK"])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (Point(60, 30), "IRN-PAK is a Point"),
        (Polygon([(0, 0), (1, 0), (1, 1)]), "IRN-PAK is a Polygon"),
        (LineString(), "IRN-PAK is empty"),
        (None, "IRN-PAK is empty"),
    ],
)
def test_a_geometry_that_is_no_line_is_refused(write, shape, message):
    path = write(["IRN-AFG", "IRN-PAK"], [NORTH, shape])
    with pytest.raises(DataError, match=message):
        read_all_borders(path)


def test_a_declared_projection_is_undone(write):
    shape = gpd.GeoSeries([NORTH], crs=4326).to_crs(32641)[0]
    lines = read_all_borders(write(["IRN-AFG"], [shape], crs=32641))
    assert lines.crs.to_epsg() == 4326
    assert lines.geometry[0].hausdorff_distance(NORTH) < 1e-6


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
@pytest.mark.parametrize(("crs", "name"), [(None, "b.gpkg"), ("EPSG:4326", "b.geojson")])
def test_metres_without_a_declared_projection_are_refused(write, crs, name):
    path = write(["IRN-AFG"], [LineString([(500_000, 3_800_000), (510_000, 3_900_000)])], crs, name)
    with pytest.raises(DataError, match="not longitude and latitude"):
        read_all_borders(path)


def test_pairs_must_be_two_codes(write):
    with pytest.raises(DataError, match="IRN-AFG"):
        read_all_borders(write(["Iran"], [NORTH]))


def test_a_file_without_pairs_says_what_it_has(tmp_path):
    path = tmp_path / "b.geojson"
    gpd.GeoDataFrame({"name": ["x"]}, geometry=[NORTH], crs=4326).to_file(path)
    with pytest.raises(DataError, match=r"no column pair \(it has: name\)"):
        read_all_borders(path)


def test_a_broken_file_is_one_clear_error(tmp_path):
    path = tmp_path / "borders.geojson"
    path.write_text('{"type": "FeatureCollection", "features": [{"type"')
    with pytest.raises(DataError, match="cannot be read as a vector file"):
        read_all_borders(path)


def test_an_empty_collection_is_refused(tmp_path):
    path = tmp_path / "borders.geojson"
    path.write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(DataError, match="no features"):
        read_all_borders(path)


def test_parts_of_a_border_stay_together(write):
    parts = MultiLineString([NORTH, SOUTH])
    lines = read_borders(write(["IRN-AFG"], [parts]), "IRN", ["AFG"])
    assert shapely.get_num_geometries(lines.geometry[0]) == 2
