"""A folder of a border before anything is fetched, and services that cost no time when they err."""

import shutil
import time

import pytest
from tests.fetching.loopback import serving
from tests.fetching.services import Services

from borderrisk.pipeline import starting
from borderrisk.sources import downloads

WINDOW = (60.0, 34.5, 62.0, 36.5)
EVENTS = [
    (1, "2015-03-01", 35.2, 60.8, "Iran"),
    (2, "2016-03-01", 34.9, 60.6, "Iran"),
    (3, "2017-03-01", 34.4, 62.2, "Afghanistan"),
    (4, "2018-03-01", 51.5, -0.1, "United Kingdom"),
    (5, "2019-03-01", 33.3, 44.4, "Iraq"),
]
LATER = {
    "GEDEvent_v26_01_26_06.csv": [(2, "2016-03-02", 34.95, 60.65, "Iran")],
    "GEDEvent_v26_0_8.csv": [
        (2, "2016-03-03", 34.96, 60.66, "Iran"),
        (9, "2026-08-01", 35.1, 60.7, "Iran"),
    ],
}
CONFIG = """# The Harirud, for a test.
name: harirud
study_area:
  home: IRN
  neighbours: [AFG, TKM]
  border_strip_km: 60
  halo_km: 30
  window: [60.0, 34.5, 62.0, 36.5]   # west, south, east, north
grid: {cell_size_m: 10000}
data:
  package: data/datapackage.json
  borders: data/borders.geojson      # from the base
  countries: data/countries.geojson
  elevation: {path: data/elevation_5arcmin.tif, bad_values: [-9999]}
  settlements: data/settlements.csv
  # One row an incident.
  incidents: {path: data/incidents.csv, layout: table, default_radius_km: 5, columns: {date: day}}
compute: {cache: .cache}
outputs: {folder: .}
"""
PAUSES = 0.005
"""What waits are shortened to, as a share."""


@pytest.fixture(autouse=True, scope="package")
def impatient():
    """Wait less: fewer tries, short pauses, and a stall is soon one."""
    with pytest.MonkeyPatch.context() as patched:
        short = {"TRIES": 4, "CONNECT_S": 2, "PAUSE_S": 0.01, "STALL_S": 0.4, "LONGEST_S": 60}
        for name, value in short.items():
            patched.setattr(downloads, name, value)
        patched.setattr(downloads, "sleep", lambda seconds: time.sleep(seconds * PAUSES))
        yield


@pytest.fixture(scope="package")
def base(tmp_path_factory):
    """The folder of a border as init leaves it, without incidents."""
    place = tmp_path_factory.mktemp("base") / "harirud"
    starting.init(place, home="Iran", neighbours=["Afghanistan", "Turkmenistan"], window=WINDOW)
    (place / "config.yaml").write_text(CONFIG, "utf-8")
    return place


@pytest.fixture
def folder(base, tmp_path):
    return shutil.copytree(base, tmp_path / "harirud")


@pytest.fixture(scope="package")
def server():
    with serving(Services(EVENTS, LATER)) as started:
        yield started


@pytest.fixture(autouse=True)
def unfaulted(server):
    server.faults.clear()
    server.asked.clear()
