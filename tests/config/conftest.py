import textwrap

import pytest

from borderrisk.config import load_config
from borderrisk.errors import ConfigError

MINIMAL = """\
name: east
study_area: {home: IRN, neighbours: [AFG]}
data:
  borders: in.csv
  countries: in.csv
  elevation: {path: in.csv}
  settlements: in.csv
  incidents: {path: in.csv}
"""


@pytest.fixture
def minimal():
    """Text of the smallest valid config."""
    return MINIMAL


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder with one input file, in.csv."""
    (tmp_path / "in.csv").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def load(folder):
    """Load a valid minimal config with some lines after it."""

    def run(more="", overrides=None, base=MINIMAL):
        (folder / "c.yaml").write_text(base + textwrap.dedent(more), encoding="utf-8")
        return load_config("c.yaml", overrides)

    return run


@pytest.fixture
def problems(load):
    """Lines of the error a config gives."""

    def run(more="", overrides=None, base=MINIMAL):
        with pytest.raises(ConfigError) as caught:
            load(more, overrides, base)
        assert caught.value.exit_code == 2
        return str(caught.value).splitlines()

    return run
