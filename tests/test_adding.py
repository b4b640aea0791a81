"""A toy of each kind is added the way docs/architecture.md says, and found where it belongs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.squares import ORIGIN, make_cells, make_panel

from borderrisk.config import load_config
from borderrisk.features import catalogue
from borderrisk.model import registry
from borderrisk.model.baselines import Even
from borderrisk.model.cells import CellTable
from borderrisk.model.protocol import MODELS, model
from borderrisk.outputs.export import FORMATS, cells_table, write_cells
from borderrisk.pipeline.inputs import ROLES, Inputs, Role
from borderrisk.pipeline.stages import Stages, UndeclaredReadError, stage
from borderrisk.runs.cache import StageCache
from borderrisk.sources import layouts
from borderrisk.sources.incidents import read_incidents

CONFIG = Path(__file__).parents[1] / "configs" / "eastern-border.yaml"


def test_a_feature_that_is_declared_is_read_and_has_its_words(make_scene, monkeypatch):
    snow = replace(
        catalogue.feature("slope_mean"), name="snow_days", long_name="Days of snow", fa="روزهای برف"
    )
    monkeypatch.setattr(catalogue, "DECLARED", (*catalogue.DECLARED, snow))
    ds = make_scene().cells.assign(snow_days=(("y", "x"), np.full((12, 16), 7.0)), domain=1.0)
    ds["domain"] = (("y", "x"), np.ones((12, 16)))
    assert "snow_days" in CellTable.from_dataset(ds, missing="median").features
    assert catalogue.annotate(ds)["snow_days"].attrs["long_name"] == "Days of snow"
    assert catalogue.persian("snow_days") == "روزهای برف"


def test_a_layout_that_is_entered_is_told_by_its_header_and_read(tmp_path, monkeypatch):
    diary = layouts.Layout(
        {"incident_id": "no", "date": "when", "latitude": "north", "longitude": "east",
         "radius_km": "within", "kind": "what"}
    )  # fmt: skip
    monkeypatch.setitem(layouts.LAYOUTS, "diary", diary)
    path = tmp_path / "diary.csv"
    path.write_text("no,when,north,east,within,what\n1,2020-02-03,31.5,60.25,4,raid\n")
    assert layouts.layout_of(["no", "when", "north", "east", "within", "what"]) == "diary"
    (row,) = read_incidents(path, "diary").incidents.itertuples()
    assert (row.geometry.x, row.geometry.y, row.radius_km) == (60.25, 31.5, 4)
    assert row.date == pd.Timestamp("2020-02-03")


@pytest.fixture
def louder():
    """A baseline that is as even as `even`, under another name."""

    @model("louder", role="baseline")
    class Louder(Even):
        """Evenly everywhere."""

    yield Louder
    del MODELS["louder"]


def test_a_model_that_is_entered_is_made_fitted_and_kept_by_name(louder):
    assert "louder" in registry.models("baseline")
    cells = make_cells()
    fitted = registry.make_model("louder").fit(
        cells, make_panel(cells, [1.0, 2.0], [3.0, 4.0]), ORIGIN
    )
    again = registry.opened(registry.packed(fitted))
    assert np.array_equal(again.intensity(cells), fitted.intensity(cells))
    assert np.ptp(fitted.intensity(cells)[cells.study]) == pytest.approx(0, abs=1e-12)


def test_a_format_that_is_entered_writes_cells(make_scene, tmp_path, monkeypatch):
    def lines(cells, path):
        path.write_text("\n".join(cells["cell_id"]))

    monkeypatch.setitem(FORMATS, "lines", (".txt", lines))
    cells = cells_table(make_scene())
    path = write_cells(cells, tmp_path / "cells.txt", "lines")
    assert path.read_text().split("\n") == cells["cell_id"].tolist()


def test_a_role_that_is_entered_is_read_only_where_it_is_declared(tmp_path, monkeypatch):
    monkeypatch.setitem(ROLES, "zones", Role("data.settlements"))
    monkeypatch.setattr(Inputs, "zones", property(lambda self: "zones!"), raising=False)

    @stage(layer="sources", files=["zones"])
    def named(given):
        return given.files.zones

    @stage(layer="sources")
    def careless(given):
        return given.files.zones

    config = load_config(CONFIG)
    stages = Stages(config, Inputs(config), StageCache(tmp_path))
    assert stages[named] == "zones!"
    assert any("zones" in name for name in stages.key(named).inputs)
    with pytest.raises(UndeclaredReadError):
        stages[careless]
