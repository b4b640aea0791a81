import logging

import numpy as np
import pandas as pd
import pytest

from borderrisk.errors import DataError
from borderrisk.sources.feature_table import read_feature_table


@pytest.fixture
def write(tmp_path):
    def put(text):
        path = tmp_path / "more.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return put


def test_values_land_in_their_cells_and_gaps_are_said(write, grid, caplog):
    caplog.set_level(logging.WARNING)
    path = write("cell_id,lights,roads\nr0c1,2.5,1\nr5c7,-1,\n")
    found = read_feature_table(path, ["lights", "roads"], grid)
    assert found["lights"][0, 1] == 2.5
    assert found["lights"][5, 7] == -1
    assert np.isfinite(found["lights"]).sum() == 2
    assert found["roads"][0, 1] == 1
    assert np.isfinite(found["roads"]).sum() == 1
    assert "roads has no value in 1 of 2 rows" in caplog.text


def test_parquet_says_the_same(tmp_path, grid):
    path = tmp_path / "more.parquet"
    pd.DataFrame({"cell_id": grid.cell_ids().ravel(), "n": np.arange(grid.size)}).to_parquet(path)
    found = read_feature_table(path, ["n"], grid)
    np.testing.assert_array_equal(found["n"], np.arange(grid.size).reshape(grid.shape))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cell_id,other\nr0c1,1\n", "no column lights .it has: cell_id, other"),
        ("cell_id,lights\nr0c1,1\nr0c1,2\n", "row 3: cell r0c1 comes twice"),
        ("cell_id,lights\nr9c1,1\n", "'r9c1' is not a cell of this 6 x 8 grid"),
        ("cell_id,lights\nr0c1,bright\n", "row 2: lights is 'bright'; expected a finite number"),
        ("cell_id,lights\nr0c1,inf\n", "row 2: lights is 'inf'"),
        ("cell_id,lights\n", "no rows"),
    ],
)
def test_what_cannot_be_used_is_named_by_row(write, grid, text, message):
    with pytest.raises(DataError, match=message) as raised:
        read_feature_table(write(text), ["lights"], grid)
    assert "more.csv" in str(raised.value)
