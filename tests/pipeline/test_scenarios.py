import pytest

from borderrisk import pipeline


def test_closing_a_crossing_moves_risk_to_other_segments_and_keeps_the_rest(small, tmp_path):
    config = small().with_changes(
        {
            "scenarios": {
                "closed": {"changes": {"features": {"travel": {"closed": [[61, 34, 61.5, 35]]}}}}
            }
        }
    )
    facts, rows = pipeline.scenario(config, "closed", out=tmp_path / "s")
    assert facts["expected_before"] > 0
    assert (tmp_path / "s" / "segments.csv").exists()
    moved = {row["segment_id"]: row["displaced"] for row in rows}
    assert any(value < 0 for value in moved.values())
    assert any(value > 0 for value in moved.values())


def test_a_scenario_that_changes_nothing_moves_nothing(small, tmp_path):
    config = small().with_changes({"scenarios": {"same": {"changes": {"seed": small().seed}}}})
    facts, _ = pipeline.scenario(config, "same", out=tmp_path / "s")
    assert facts["moved"] == pytest.approx(0, abs=1e-9)
