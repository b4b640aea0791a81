"""Countries, settlements and user-supplied points."""

import geopandas as gpd
import pytest
import shapely

from borderrisk.errors import DataError
from borderrisk.sources.countries import outline, read_countries
from borderrisk.sources.points import read_points
from borderrisk.sources.settlements import check_settlements_header, read_settlements

PLACES = "name,name_fa,latitude,longitude,population,country\n"


@pytest.fixture
def csv(tmp_path):
    def _write(text, name="places.csv"):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return _write


def countries_file(tmp_path, columns, shapes):
    path = tmp_path / "countries.geojson"
    gpd.GeoDataFrame(columns, geometry=shapes, crs=4326).to_file(path)
    return path


def test_countries_are_found_by_code(tmp_path):
    shapes = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]
    path = countries_file(tmp_path, {"ADM0_A3": ["AAA", "BBB"], "NAME": ["A", "B"]}, shapes)
    countries = read_countries(path)
    assert list(countries.columns) == ["iso_a3", "name", "geometry"]
    assert outline(countries, "BBB").equals(shapes[1])
    with pytest.raises(DataError, match=r"no country ABB\. Did you mean"):
        outline(countries, "ABB")


def test_rows_of_one_country_are_merged(tmp_path):
    shapes = [shapely.box(0, 0, 1, 1), shapely.box(5, 0, 6, 1)]
    path = countries_file(tmp_path, {"iso_a3": ["AAA", "AAA"], "name": ["A", "A"]}, shapes)
    countries = read_countries(path)
    assert len(countries) == 1
    assert countries.geometry[0].area == 2


def test_a_self_crossing_outline_is_mended(tmp_path):
    bowtie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    path = countries_file(tmp_path, {"iso_a3": ["AAA"], "name": ["A"]}, [bowtie])
    assert read_countries(path).geometry.is_valid.all()


def test_lines_are_no_countries(tmp_path):
    line = shapely.LineString([(0, 0), (1, 1)])
    path = countries_file(tmp_path, {"iso_a3": ["AAA"], "name": ["A"]}, [line])
    with pytest.raises(DataError, match="AAA is a LineString; expected Polygon"):
        read_countries(path)


def test_settlements_are_points_with_numbers(csv):
    path = csv(PLACES + "Zabol,زابل,31.03,61.49,121989,IRN\nHamlet,,30,61,,AFG\n")
    places = read_settlements(path)
    assert list(places.columns) == ["name", "name_fa", "country", "population", "geometry"]
    assert places["population"].tolist() == [121989, 0]
    assert places["name_fa"].tolist() == ["زابل", ""]
    assert (places.geometry[0].x, places.geometry[0].y) == (61.49, 31.03)


def test_the_persian_name_is_optional(csv):
    places = read_settlements(csv("name,latitude,longitude,population,country\nA,1,2,3,AAA\n"))
    assert places["name_fa"].tolist() == [""]


def test_a_place_called_na_keeps_its_name(csv):
    assert read_settlements(csv(PLACES + "NA,,1,2,3,AAA\n"))["name"].tolist() == ["NA"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("A,,95,61,5,IRN", "row 3: latitude is '95'"),
        ("A,,x,61,5,IRN", "row 3: latitude is 'x'"),
        ("A,,30,61,-5,IRN", "row 3: population is '-5'"),
        ("A,,30,,5,IRN", "row 3: longitude is ''"),
    ],
)
def test_a_bad_settlement_is_named_by_row(csv, row, message):
    with pytest.raises(DataError, match=message):
        read_settlements(csv(PLACES + "B,,30,60,1,IRN\n" + row + "\n"))


def test_a_missing_column_is_found_from_the_header_alone(csv):
    path = csv("name,lattitude,longitude,population,country\n")
    with pytest.raises(DataError, match=r"no column latitude\. Did you mean lattitude\?"):
        check_settlements_header(path)


@pytest.mark.parametrize("header", ["name,lat,lon", "Name,Latitude,Longitude", "NAME,y,x"])
def test_posts_from_csv(csv, header):
    posts = read_points(csv(header + "\nGate,31,61\n"))
    assert posts["name"].tolist() == ["Gate"]
    assert (posts.geometry[0].x, posts.geometry[0].y) == (61, 31)


@pytest.mark.parametrize("name", ["posts.geojson", "posts.gpkg"])
def test_posts_from_vector_files(tmp_path, name):
    frame = gpd.GeoDataFrame(
        {"name": ["Gate", None]}, geometry=gpd.points_from_xy([61, 62], [31, 32])
    )
    frame.set_crs(4326).to_file(tmp_path / name)
    posts = read_points(tmp_path / name)
    assert posts["name"].tolist() == ["Gate", ""]
    assert posts.geometry.x.tolist() == [61, 62]


def test_posts_without_names(csv):
    assert read_points(csv("lat,lon\n31,61\n"))["name"].tolist() == [""]


def test_a_post_must_be_a_point(tmp_path):
    frame = gpd.GeoDataFrame(geometry=[shapely.box(60, 30, 61, 31)], crs=4326)
    frame.to_file(tmp_path / "posts.gpkg")
    with pytest.raises(DataError, match="feature 1 is a Polygon"):
        read_points(tmp_path / "posts.gpkg")


def test_a_post_out_of_range_is_named_by_row(csv):
    with pytest.raises(DataError, match="row 3: lat is '131'"):
        read_points(csv("lat,lon\n31,61\n131,61\n"))


def test_posts_without_positions_say_what_is_there(csv):
    with pytest.raises(DataError, match=r"no column latitude or lat or y \(it has: name, lon\)"):
        read_points(csv("name,lon\na,1\n"))
