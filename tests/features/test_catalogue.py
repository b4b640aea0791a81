import numpy as np
import pytest

from borderrisk.features import catalogue


def test_templates_fill_their_names_in():
    assert catalogue.feature("border_distance_afg_km").long_name.endswith("Afghanistan")
    assert catalogue.feature("tpi_25km").long_name == "Topographic position within 25 km"
    assert catalogue.feature("hours_from_border").name == "hours_from_border"
    assert catalogue.feature("hours_to_home_settlement").long_name.startswith("Walking time to the")


@pytest.mark.parametrize("name", ["exposure", "risk", "border_distance__km_", "tpi_km"])
def test_other_variables_are_not_features(name):
    assert not catalogue.is_feature(name)


def test_annotate_gives_each_feature_unit_and_name(grid):
    ds = grid.dataset().assign(slope_mean=(("y", "x"), np.ones(grid.shape)))
    assert catalogue.annotate(ds).slope_mean.attrs["units"] == "degree"


def test_every_declared_feature_has_unit_name_group_and_source():
    for feature in catalogue.DECLARED:
        assert feature.units
        assert feature.long_name
        assert feature.group in catalogue.GROUPS
        assert feature.source
