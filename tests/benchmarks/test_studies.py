import pytest
from benchmarks.studies import __main__ as studies


def test_without_a_name_every_study_is_listed(capsys):
    studies.main([])
    listed = capsys.readouterr().out
    assert all(f"{name} " in listed for name in studies.STUDIES)


def test_a_study_that_is_not_there_is_refused():
    with pytest.raises(SystemExit, match=r"no study 'plantd'; there are planted"):
        studies.main(["plantd"])


@pytest.mark.parametrize("name", studies.STUDIES)
def test_every_study_tells_its_options(name, capsys):
    with pytest.raises(SystemExit) as ended:
        studies.main([name, "--help"])
    assert ended.value.code == 0
    assert f"studies {name}" in capsys.readouterr().out


@pytest.fixture
def asked(tmp_path):
    """Options of a study of a small and quick version of the shipped config."""
    pairs = {
        "grid.cell_size_m": 40000, "features.concealment.enabled": "false",
        "features.travel.enabled": "false", "model.estimator": "border_distance",
        "evaluation.first_origin": "2023-01-01", "evaluation.last_origin": "2023-01-01",
        "compute.cache": tmp_path,
    }  # fmt: skip
    return [part for key, value in pairs.items() for part in ("--set", f"{key}={value}")]


def test_grids_compares_ranks(asked, capsys, monkeypatch):
    from benchmarks.studies import grids

    monkeypatch.setattr(grids, "CELLS_KM", (50.0, 40.0))
    studies.main(["grids", *asked])
    _, other, moved = capsys.readouterr().out.splitlines()
    assert other.startswith("50 km ")
    assert moved.startswith("40 km, shifted by half a cell")
    # The nearest cells to the border stay so on any grid.
    assert float(other.split()[-2]) > 0.9 < float(moved.split()[-2]) < 1


def test_planted_tells_bits_and_coverage(capsys):
    words = "planted --incidents 60 --worlds 1 --side 14 --replicates 2 --scheduler threads"
    studies.main(words.split())
    text = capsys.readouterr().out
    for words in ("the truth itself", "border_distance", "class  all", "km of border"):
        assert words in text


def test_hindsight_tells_what_hindsight_reaches(asked, capsys):
    studies.main(["hindsight", *asked])
    head, columns, every, *_ = capsys.readouterr().out.splitlines()
    assert "hindsight" in head
    assert "border_distance" in columns
    _, incidents, _, reached, pool, _ = every.split()
    assert int(incidents) >= 5
    assert float(pool) >= float(reached)


def test_folds_tells_bits_of_each_way(asked, capsys):
    studies.main(["folds", *asked])
    head, _, columns, first, *_ = capsys.readouterr().out.splitlines()
    assert head.startswith("bits per incident in blocks left out")
    assert columns.split() == ["model", "block", "random", "unnamed"]
    assert first.startswith("border_distance")


def test_ablation_tells_what_each_group_is_worth(asked, capsys):
    studies.main(["ablation", *asked, "--set", "model.estimator=glm"])
    text = capsys.readouterr().out
    for words in ("nothing", "terrain", "settlement", "the ground alone"):
        assert words in text


def test_bootstrap_tells_time_and_memory(asked, capsys):
    studies.main(["bootstrap", "--replicates", "2", "--scheduler", "threads", *asked])
    assert "GiB" in capsys.readouterr().out


def test_parts_tells_what_each_is_worth(asked, capsys):
    own = [word for word in asked if "estimator" not in word and word != "--set"]
    changes = [part for word in own for part in ("--set", word)]
    studies.main(["parts", "--only", "shipped", *changes])
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("Shipped border (")
    assert [row.split("  ")[0] for row in rows[:3]] == ["nothing", "width 3 km", "width 30 km"]
