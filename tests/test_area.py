import numpy as np
import pytest
import shapely

from borderrisk.area import StudyArea, lighter
from borderrisk.errors import GridError

HOME = shapely.box(55, 30, 60, 34)
BORDER = shapely.LineString([(60, 30), (60, 34)])


def area(strip=100, halo=50, home=HOME):
    return StudyArea.along_border(home, BORDER, strip_km=strip, halo_km=halo, cell_size_m=10_000)


def test_the_strip_is_as_deep_as_asked_and_on_the_home_side():
    built = area()
    height_km = 443.6  # 30 N to 34 N on the ellipsoid
    assert built.polygon.area / 1e6 == pytest.approx(100 * height_km, rel=0.02)
    lon, _ = built.grid.lonlat()
    scored = built.grid.coverage(built.polygon) > 0.5
    assert np.all(lon[scored] < 60.01)


def test_the_halo_reaches_both_sides():
    built = area()
    assert built.halo.contains(built.polygon)
    lon, _ = built.grid.lonlat()
    assert lon[built.grid.coverage(built.halo) > 0.9].max() > 60.3


def test_the_projection_is_centred_on_the_study_area():
    params = area().grid.crs.to_dict()
    assert params["proj"] == "laea"
    assert params["lat_0"] == 32
    assert params["lon_0"] == 59.5


def test_a_home_far_from_the_border_is_refused():
    with pytest.raises(GridError, match="within 100 km"):
        area(home=shapely.box(20, 30, 25, 34))


def test_a_spike_of_the_outline_loses_no_cell():
    spiked = shapely.Polygon([(55, 30), (60, 30), (60, 32), (63, 32), (60, 32), (60, 34), (55, 34)])
    plain, odd = area(), area(home=spiked)
    assert odd.polygon.geom_type == "Polygon"
    scored = [a.grid.coverage(a.polygon).sum() for a in (plain, odd)]
    assert scored[1] == pytest.approx(scored[0], rel=1e-3)
    mixed = shapely.GeometryCollection([plain.polygon, shapely.LineString([(0, 0), (9e4, 9e4)])])
    np.testing.assert_allclose(
        plain.grid.coverage(mixed), plain.grid.coverage(plain.polygon), atol=1e-12
    )


@pytest.mark.parametrize(("lon", "halo"), [(179.95, 50), (179.0, 50)])
def test_an_area_on_both_sides_of_the_antimeridian_is_refused(lon, halo):
    home, line = shapely.box(175, 30, lon, 34), shapely.LineString([(lon, 30), (lon, 34)])
    built = {"strip_km": 90, "halo_km": halo, "cell_size_m": 10_000}
    if lon < 179.5:
        assert StudyArea.along_border(home, line, **built).grid.size > 0
        return
    with pytest.raises(GridError, match="antimeridian"):
        StudyArea.along_border(home, line, **built)
    parts = shapely.MultiLineString([[(180, 30), (180, 32)], [(-180, 32), (-179.9, 34)]])
    with pytest.raises(GridError, match="antimeridian"):
        StudyArea.along_border(home, parts, **built)


def test_lighter_keeps_what_is_large_and_light():
    rng = np.random.default_rng(0)
    line = shapely.LineString(np.c_[np.linspace(0, 10, 20_000), rng.normal(0, 0.0005, 20_000)])
    specks = [shapely.box(x, 0, x + 0.0005, 0.0005) for x in range(50)]
    land = shapely.MultiPolygon([shapely.box(0, 0, 2, 2), *specks])
    point = shapely.Point(1, 1)
    assert list(lighter([point, land], 1000)) == [point, land]
    thin, plain, spot = lighter([line, land, point], 400)
    assert shapely.get_num_coordinates([thin, plain, spot]).sum() <= 400
    assert thin.length == pytest.approx(10, abs=0.1)
    assert plain.area == pytest.approx(4)
    assert spot == point
