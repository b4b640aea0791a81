import numpy as np
import pytest
import shapely

from borderrisk.area import StudyArea
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
