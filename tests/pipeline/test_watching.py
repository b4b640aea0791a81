import time

import pytest

from borderrisk.compute import map_parallel
from borderrisk.pipeline.watching import Board, watched


def work(tell):
    for k in range(1, 5):
        time.sleep(0.12)
        tell(k, 4)
    return "done"


def test_jobs_in_other_processes_are_heard_of():
    heard = []
    with watched(lambda *told: heard.append(told), "evaluation", {"a": 3.0, "b": 1.0}) as board:
        tellers = [board.teller("a"), board.teller("b")]
        assert map_parallel(work, tellers, scheduler="processes", workers=2) == ["done"] * 2
    percents = [percent for _, percent, _ in heard]
    assert {(stage, total) for stage, _, total in heard} == {("evaluation", 100)}
    assert percents == sorted(set(percents))
    assert percents[-1] == 100


def test_the_share_of_a_job_is_what_it_noted(tmp_path):
    board = Board(tmp_path)
    assert board.share("a") == 0
    board.teller("a")(3, 4)
    assert board.share("a") == 0.75
    (tmp_path / "a").write_text("3/")
    assert board.share("a") == 0


def test_nobody_watches_nobody_tells():
    with watched(None, "evaluation", {"a": 1.0}) as board:
        assert board.teller("a") is None


def test_an_error_in_a_job_ends_the_watching():
    heard = []
    with (
        pytest.raises(ZeroDivisionError),
        watched(lambda *told: heard.append(told), "evaluation", {"a": 1.0}),
    ):
        raise ZeroDivisionError
    assert ("evaluation", 100, 100) not in heard
