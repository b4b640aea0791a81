"""Countries, settlements and user-supplied points."""

import geopandas as gpd
import pytest
import shapely

from borderrisk.errors import DataError
from borderrisk.sources.world import (
    check_near,
    outline,
    read_countries,
    read_points,
    read_settlements,
)

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


def test_land_without_a_code_stays_land(tmp_path):
    shapes = [shapely.box(x, 0, x + 1, 1) for x in (0, 1, 5)]
    columns = {"iso_a3": ["AAA", None, None], "name": ["A", None, "C"]}
    countries = read_countries(countries_file(tmp_path, columns, shapes))
    assert countries.union_all().area == 3
    with pytest.raises(DataError, match=r"no country AAB\. Did you mean AAA"):
        outline(countries, "AAB")


def test_a_self_crossing_outline_is_mended(tmp_path):
    bowtie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    path = countries_file(tmp_path, {"iso_a3": ["AAA"], "name": ["A"]}, [bowtie])
    assert read_countries(path).geometry.is_valid.all()


def test_lines_are_no_countries(tmp_path):
    line = shapely.LineString([(0, 0), (1, 1)])
    path = countries_file(tmp_path, {"iso_a3": ["AAA"], "name": ["A"]}, [line])
    with pytest.raises(DataError, match="AAA is a LineString; expected polygons"):
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


def test_a_missing_column_is_named_with_what_may_be_meant(csv):
    path = csv("name,lattitude,longitude,population,country\nA,1,2,3,AAA\n")
    with pytest.raises(DataError, match=r"no column latitude .*Did you mean lattitude\?"):
        read_settlements(path)


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
    with pytest.raises(DataError, match="row 1: latitude is 'Polygon'"):
        read_points(tmp_path / "posts.gpkg")


def test_a_post_out_of_range_is_named_by_row(csv):
    with pytest.raises(DataError, match="row 3: lat is '131'"):
        read_points(csv("lat,lon\n31,61\n131,61\n"))


def test_posts_without_positions_say_what_is_there(csv):
    with pytest.raises(DataError, match=r"no column latitude or lat or y\. There is: name, lon"):
        read_points(csv("name,lon\na,1\n"))


CODES = {"ISO_A3": ["-99", "BBB"], "ADM0_A3": ["AAA", "BXX"], "NAME": ["A", "B"]}


def test_a_code_that_is_missing_is_taken_from_the_next_column(tmp_path):
    shapes = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]
    countries = read_countries(countries_file(tmp_path, CODES, shapes))
    assert countries["iso_a3"].tolist() == ["AAA", "BBB"]


def test_a_spike_of_an_outline_leaves_its_polygon(tmp_path):
    spiked = shapely.Polygon([(0, 0), (2, 0), (2, 1), (5, 1), (2, 1), (2, 2), (0, 2)])
    columns = {"iso_a3": ["AAA"], "name": ["A"]}
    countries = read_countries(countries_file(tmp_path, columns, [spiked]))
    assert countries.geometry[0].equals(shapely.box(0, 0, 2, 2))
    assert countries.geometry[0].geom_type == "Polygon"


def test_settlements_may_be_points_of_a_vector_file(tmp_path):
    frame = gpd.GeoDataFrame(
        {"Name": ["A", "B"], "population": [1200.0, None], "country": ["AAA", "BBB"]},
        geometry=gpd.points_from_xy([61, 62], [31, 32]),
        crs=4326,
    )
    frame.to_file(tmp_path / "places.geojson")
    places = read_settlements(tmp_path / "places.geojson")
    assert places["population"].tolist() == [1200, 0]
    assert places["name"].tolist() == ["A", "B"]
    assert places.geometry.x.tolist() == [61, 62]


@pytest.mark.parametrize("people", ["201.669", "12.000", "1,234", "1.5", "1 200", "2'000"])
def test_a_population_with_signs_between_its_digits_is_refused(csv, people):
    with pytest.raises(DataError, match=f"row 2: population is {people!r}"):
        read_settlements(csv(PLACES.replace(",", ";") + f"A;;30;61;{people};IRN\n"))


def test_a_population_may_have_been_saved_as_a_float(csv):
    assert read_settlements(csv(PLACES + "A,,30,61,1200.0,IRN\n"))["population"].tolist() == [1200]


def test_a_place_given_twice_counts_once(csv, caplog):
    row = "A,,30,61,5,IRN\n"
    places = read_settlements(csv(PLACES + row + "B,,30,61,5,IRN\n" + row))
    assert places["name"].tolist() == ["A", "B"]
    assert "1 places are given twice" in caplog.text


@pytest.mark.parametrize(
    ("lat", "lon", "words"), [(59, 31, "swapped"), (-20, 100, "none of the 3 lies in the area")]
)
def test_places_that_lie_elsewhere_are_refused(csv, lat, lon, words):
    places = read_settlements(csv(PLACES + "".join(f"{n},,{lat},{lon},5,IRN\n" for n in "abc")))
    with pytest.raises(DataError, match=f"settlements: .*{words}"):
        check_near(places, (58, 29, 62, 34), "settlements", "places.csv")
