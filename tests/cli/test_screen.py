"""What is printed fits the terminal, and one line of progress is written over."""

import io
import json
import logging
import re

import pytest
from click.testing import CliRunner

from borderrisk.cli import common
from borderrisk.cli.app import app


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")


@pytest.mark.usefixtures("narrow")
def test_errors_wrap_at_words_and_lose_none(tmp_path):
    folder = tmp_path / "somewhere"
    result = CliRunner().invoke(app, ["info", str(folder)])
    assert result.exit_code == 3
    long = [line for line in result.stderr.splitlines() if len(line) > 60]
    assert all(" " not in line.strip() for line in long)  # only a path may be longer
    words = " ".join(result.stderr.split())
    assert words == f"{folder}: no such run; give a folder written by `borderrisk run`."


def test_nothing_is_wrapped_where_nobody_reads_it(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert common.wrapped("word " * 40, io.StringIO()) == "word " * 40


@pytest.mark.usefixtures("narrow")
def test_a_table_that_is_too_wide_stands_one_row_below_the_other():
    rows = [{"section": "a" * 40, "expected incidents": 1.5, "rank": k} for k in (1, 2)]
    text = common.table_text(rows)
    assert text.count("\n\n") == 1
    assert max(map(len, text.splitlines())) <= 60
    assert "expected incidents: 1.5" in text
    assert "\n\n" not in common.table_text([{"a": 1, "b": 2}])


@pytest.mark.usefixtures("narrow")
def test_wrapped_cells_that_find_no_room_are_whole_again_one_below_the_other():
    rows = [{"input": "borders", "read": "one " * 9 + "two", "left out": ""}]
    widths = {"input": 14, "read": 44, "left out": 34}
    assert common.wrapped_table(rows, widths) == f"input: borders\nread: {rows[0]['read']}"


def shown(text):
    """What stands on a screen: carriage return and erase start a line anew."""
    return [line.rsplit("\r\x1b[2K", maxsplit=1)[-1] for line in text.split("\n")]


def test_one_line_of_progress_below_the_log(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    common.configure_logging(verbose=False)
    with common.progress_line() as progress:
        progress("intervals", 1, 200)
        progress("a stage with quite a long name, longer than the line", 2, 200)
        logging.getLogger("borderrisk").info("features: computed in 2 s, and more words than fit")
        assert shown(stream.getvalue())[-1] == "a stage with quite a long name, longer "
    lines = shown(stream.getvalue())
    assert lines[:2] == ["features: computed in 2 s, and more", "  words than fit"]
    assert lines[-1] == ""
    assert max(map(len, lines)) < 41


def test_no_progress_and_no_control_codes_in_a_file(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    common.configure_logging(verbose=False)
    with common.progress_line() as progress:
        assert progress is None
    logging.getLogger("borderrisk").info("done")
    assert stream.getvalue() == "done\n"


@pytest.mark.parametrize("name", sorted(app.commands))
def test_every_command_has_json(name):
    assert re.search(r"--json\b", CliRunner().invoke(app, [name, "--help"]).output)


def test_json_is_never_wrapped(narrow):
    text = CliRunner().invoke(app, ["init", "--list", "Iran", "--json"]).stdout
    assert json.loads(text)["neighbours"]
