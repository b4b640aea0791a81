"""From nothing to a map, with services that err: init, fetch, validate, run."""

import json
import shutil

import pytest
from click.testing import CliRunner
from tests.fetching.loopback import serving
from tests.fetching.services import Services, around

from borderrisk.cli.app import app
from borderrisk.config import load_config

FAULTS = {
    "tileList": ["status:503"],
    "E060_00_DEM.tif": ["reset", "damaged"],
    "E023_00_DEM.tif": ["stall", "no range"],
    "media.github": ["cut:4", "cut:9", "other-range"],
    "api/interpreter/roads": ["remark", "status:429:1", "page-not"],
    "api/interpreter/posts": ["gzip", "reset"],
    "ged261": ["cut:5", "other-file", "too-short"],
    "downloads/index": ["too-long", "status:500"],
    "geonames": ["weak-cut", "gzip-cut"],
    "worldcover": ["status:503", "trickle"],
}


@pytest.fixture
def call():
    def invoke(*arguments):
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    return invoke


@pytest.mark.slow
@pytest.mark.parametrize(
    ("home", "other", "code", "far", "road"),
    [
        ("Iran", "Afghanistan", "IRN", "AFG", "Road 0"),
        # Across 50 N, where the pixels of the elevation get wider.
        ("Poland", "Ukraine", "POL", "UKR", "Road 1"),
    ],
)
def test_a_border_is_mapped_from_fetched_data(call, tmp_path, monkeypatch, home, other, code, far,
                                              road):  # fmt: skip
    folder = tmp_path / "border"
    names = ("GEDEvent_v26_01_26_06.csv", "GEDEvent_v26_0_8.csv")
    later = {name: around(code, far, 3, 1000 + k) for k, name in enumerate(names)}
    with serving(Services(around(code, far, 90), later)) as server:
        server.faults.update({part: list(faults) for part, faults in FAULTS.items()})
        monkeypatch.setenv("BORDERRISK_MIRROR", server.url)
        call("init", folder, "--home", home, "--neighbours", other, "--fetch")
        assert sum(map(len, server.faults.values())) < sum(map(len, FAULTS.values())) / 2
    config = load_config(folder)
    assert config.data.incidents.path.name == "ucdp_ged.csv"
    assert not (folder / "data" / "incidents.csv").exists()
    rows = {row["input"]: row for row in json.loads(call("validate", folder, "--json"))["inputs"]}
    assert rows["roads"]["used for"].startswith("driven in")
    small = ["--set", "grid.cell_size_m=20000", "--set", "corridors.routes=4"]
    call("run", folder, "--no-evaluate", "--out", tmp_path / "run", *small)
    page = (tmp_path / "run" / "map.html").read_text("utf-8")
    for said in ("© OpenStreetMap contributors", "Copernicus WorldDEM-30", "geoBoundaries"):
        assert said in page
    shutil.rmtree(folder)
