"""Sections of border: why, the worst of the cells behind them, and what is near."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from borderrisk.border.ranking import segment_table
from borderrisk.border.segments import cut_border
from borderrisk.outputs.headline import explained, section_answers


@pytest.fixture(scope="module")
def planted(make_scene):
    """Four sections; each has the rows of cells of its quarter behind it."""
    scene = make_scene(rows=16, cols=16)
    segments = cut_border(scene.borders, scene.grid.crs, 40)
    rows = np.arange(scene.grid.size) // scene.grid.shape[1]
    quarter = rows * len(segments) // scene.grid.shape[0]
    flow = csr_matrix(
        (np.ones(scene.grid.size), (np.arange(scene.grid.size), quarter)),
        (scene.grid.size, len(segments)),
    )
    table = segment_table(segments, flow, scene.cells, scene.grid, horizon_days=365)
    table = table.assign(crossing="Gate", crossing_km=np.arange(len(table), dtype=float))
    return scene, quarter.reshape(scene.grid.shape), explained(scene, table, flow)


def test_trust_is_the_worst_of_the_cells_behind(planted):
    scene, quarter, table = planted
    trust, area = scene.cells.trust.to_numpy(), scene.cells.exposure.to_numpy()
    for k, row in table.reset_index(drop=True).iterrows():
        behind = (quarter == k) & (trust >= 0)
        share = area[behind & (trust > 0)].sum() / area[behind].sum()
        assert row.share_not_ok == pytest.approx(share)
        assert (row.trust == "ok") == (share == 0)
        assert row.rely_en.startswith("Yes" if share == 0 else "No")
    assert (table.trust != "ok").any()


def test_expected_is_said_as_it_is_in_the_table(planted):
    scene, _, table = planted
    for row, said in zip(table.itertuples(), section_answers(scene, table, "en"), strict=True):
        assert f"level {row.level}" in said.head
        assert said.head.startswith("Iran – ")
        assert f"Rank {row.rank} of {len(table)}" in said.rank
        assert row.why_en and row.why_en in said.why
        number = float(
            said.expected.removeprefix("Expected reported incidents: ").split()[0].rstrip(".")
        )
        assert number == pytest.approx(row.expected, rel=0.06)


def test_town_is_the_nearest_of_the_home_side_and_what_is_near_is_said(planted):
    scene, _, table = planted
    home = scene.settlements[scene.settlements.country == "IRN"]
    assert set(table.town) <= set(home["name"])
    assert "Nearest crossing: Gate, 0 km." in section_answers(scene, table, "en")[0].why
    without = table.drop(columns=["crossing", "crossing_km"])
    assert "rossing" not in section_answers(scene, without, "en")[0].why
