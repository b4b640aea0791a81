"""A config before and after open data were fetched for it, from services on 127.0.0.1."""

import json
import shutil
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from click.testing import CliRunner
from tests.fetching import services
from tests.fetching.services import sha

from borderrisk.cli.app import app
from borderrisk.config import load_config
from borderrisk.errors import ConfigError, DataError, OutputError
from borderrisk.pipeline import fetching
from borderrisk.sources import downloads, upstreams
from borderrisk.sources.elevation import open_elevation
from borderrisk.sources.worldbase import world


def fetch(folder, server, *what, **more):
    planned = fetching.plan(folder, what)
    return fetching.fetch(planned, mirror=server.url, **more)


@pytest.fixture(scope="module")
def whole(base, tmp_path_factory, server):
    """Everything fetched into one folder."""
    folder = shutil.copytree(base, tmp_path_factory.mktemp("whole") / "harirud")
    notes = fetch(folder, server)
    return folder, load_config(folder), notes


def resources(folder):
    listed = json.loads((folder / "data" / "datapackage.json").read_text("utf-8"))["resources"]
    return {entry["path"]: entry for entry in listed}


def test_the_config_names_what_came_and_keeps_its_comments(whole, base):
    folder, config, _ = whole
    text = (folder / "config.yaml").read_text("utf-8")
    for kept in ("# The Harirud", "# west, south, east, north", "# from the base", "# One row"):
        assert kept in text
    data = config.data
    assert data.elevation.path == (folder / "data" / "fetched" / "elevation.tif",)
    assert data.elevation.bad_values == ()
    assert (data.incidents.layout, data.incidents.default_radius_km) == ("ucdp_ged", None)
    assert data.roads == folder / "data" / "fetched" / "roads.geojson"
    assert config.features.travel.road_speeds_kmh["primary"] == 80
    assert config.features.travel.land_cover_factors["10"] == 0.67
    assert config.grid.cell_size_m == 10_000
    before = (base / "config.yaml").read_text("utf-8").splitlines()
    touched = ("package:", "borders:", "countries:", "elevation:", "settlements:", "incidents:")
    kept = [line for line in before if not line.strip().startswith(touched)]
    assert [line for line in text.splitlines() if line in kept] == kept


def test_the_datapackage_credits_each_file(whole):
    folder, *_ = whole
    entries = resources(folder)
    for path in fetched_files(folder):
        entry = entries[path.relative_to(folder / "data").as_posix()]
        assert entry["hash"] == f"sha256:{sha(path)}"
        assert entry["bytes"] == path.stat().st_size
        assert all(entry[key] for key in ("publisher", "attribution", "version", "title"))
        assert entry["licenses"][0]["path"].startswith("https://")
        assert entry["sources"][0]["path"].startswith("https://")
        assert entry["retrieved"] >= "2026"
    assert "Copernicus WorldDEM-30 © DLR" in entries["fetched/elevation.tif"]["attribution"]
    assert "© OpenStreetMap contributors" in entries["fetched/roads.geojson"]["attribution"]
    assert "Wambacher" in entries["fetched/borders.geojson"]["attribution"]
    assert "GEDEvent_v26_0_8" in entries["fetched/ucdp_ged.csv"]["version"]
    # The credits of the base stay for what is still read from it.
    assert "elevation_5arcmin.tif" in entries


def fetched_files(folder):
    return sorted(p for p in (folder / "data" / "fetched").rglob("*") if p.is_file())


def test_elevation_comes_by_window_at_the_resolution_of_the_cells(whole, base):
    _, config, _ = whole
    elevation = open_elevation(config.data.elevation.path)
    # Ten pixels a cell: at 10 km, eight of the service's are one.
    assert elevation.transform.a == pytest.approx(8 / services.PIXELS)
    near = fetching.plan(base).wanted.near
    west, south, east, north = elevation.bounds
    assert shapely.box(west, south, east, north).contains(shapely.box(*near.bounds))
    assert elevation.shape[0] < 5 * services.PIXELS // 8
    values = elevation.read(slice(0, elevation.shape[0]), slice(0, elevation.shape[1]))
    row, col = np.unravel_index(np.nanargmax(values), values.shape)
    peak = elevation.transform @ (col + 0.5, row + 0.5)
    assert np.hypot(*np.subtract(peak, services.HILL)) < 0.08


def test_one_kilometre_cells_take_every_pixel(folder, server):
    text = (folder / "config.yaml").read_text("utf-8")
    (folder / "config.yaml").write_text(text.replace("10000", "1000"), "utf-8")
    fetch(folder, server, "elevation")
    config = load_config(folder, check_paths=False)
    elevation = open_elevation(config.data.elevation.path)
    assert elevation.transform.a == pytest.approx(1 / services.PIXELS)
    values = elevation.read(slice(0, elevation.shape[0]), slice(0, elevation.shape[1]))
    assert np.nanmin(values) > 1000
    x, y = (~elevation.transform) @ (services.VOID[0] + 0.5, services.VOID[1] + 0.5)
    assert np.isnan(values[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2]).sum() == 1
    assert fetching.plan(folder, ["elevation"]).mb > 50


def test_the_border_follows_the_better_outline(whole, base):
    folder, config, _ = whole
    old = gpd.read_file(base / "data" / "borders.geojson").set_index("pair")
    new = gpd.read_file(config.data.borders).set_index("pair")
    assert {"IRN-AFG", "IRN-TKM"} <= set(new.index)
    for pair in ("IRN-AFG", "IRN-TKM"):
        was, now = old.geometry[pair], new.geometry[pair]
        moved = shapely.transform(was, lambda xy: xy + np.array([0, services.SHIFT_DEG]))
        inner = shapely.box(*fetching.plan(folder).wanted.window).buffer(-0.3)
        here, there = moved.intersection(inner), now.intersection(inner)
        assert shapely.hausdorff_distance(here, there) < 0.06
        assert there.length == pytest.approx(here.length, rel=0.05)


def test_a_second_fetch_changes_nothing(whole, server, tmp_path):
    folder = shutil.copytree(whole[0], tmp_path / "again")
    fetch(folder, server, "borders", "settlements")
    line, again = (gpd.read_file(f / "data/fetched/borders.geojson") for f in (whole[0], folder))
    assert shapely.hausdorff_distance(*(x.geometry.iloc[0] for x in (line, again))) < 0.06
    text, kept = ((f / "config.yaml").read_text("utf-8") for f in (whole[0], folder))
    assert text == kept
    assert set(resources(folder)) == set(resources(whole[0]))


def test_neighbours_meet_the_new_line_without_gap_or_overlap(whole):
    _, config, _ = whole
    countries = gpd.read_file(config.data.countries).set_index("iso_a3").geometry
    iran, afghanistan = countries["IRN"], countries["AFG"]
    line = gpd.read_file(config.data.borders).set_index("pair").geometry["IRN-AFG"]
    assert iran.intersection(afghanistan).area < 1e-4
    inner = shapely.box(60.2, 32, 61.5, 35)
    around = line.intersection(inner).buffer(0.05)
    assert shapely.union_all([iran, afghanistan]).buffer(1e-4).covers(around)


def test_incidents_are_cut_to_the_countries_and_the_later_row_wins(whole):
    _, config, notes = whole
    table = pd.read_csv(config.data.incidents.path, dtype=str)
    assert sorted(table["id"]) == ["1", "2", "3", "9"]
    assert table.set_index("id")["latitude"]["2"] == "34.9600"
    assert list(table.columns) == list(upstreams.GED_COLUMNS)
    assert "4 events" in " ".join(notes)


def test_older_candidates_are_not_asked_for(whole, folder, server):
    fetch(folder, server, "incidents")
    names = [name for _, name, *_ in server.asked]
    assert not any("v25_0_12" in name or "ged251" in name for name in names)


def test_settlements_are_new_ones_with_the_names_of_the_base(whole):
    _, config, _ = whole
    table = pd.read_csv(config.data.settlements)
    assert services.TOWNS_MORE not in set(table["name"]), "outside the window"
    assert set(table["country"]) >= {"IRN", "AFG", "TKM"}
    assert not {"Quarter", 'Old "Fort'} & set(table["name"])
    mashhad = table[table["name"] == "Mashhad"].iloc[0]
    assert mashhad["name_fa"] == "مشهد"


def test_roads_posts_and_cover_are_where_they_were_put(whole):
    _, config, _ = whole
    roads = gpd.read_file(config.data.roads)
    assert list(roads["class"]) == ["primary"]
    assert roads.geometry.iloc[0].equals(shapely.LineString([(59, 36.2), (60, 36), (61.2, 35.6)]))
    posts = gpd.read_file(config.data.posts)
    assert sorted((p.x, p.y) for p in posts.geometry) == [(60.9, 35.4), (61.1, 34.6)]
    assert set(posts["kind"]) == {"police"}
    path = config.data.land_cover
    assert services.values_at(path, 60.5, 35.5) == services.TREES
    assert services.values_at(path, 60.5, 33.5) == services.WATER
    with rasterio.open(path) as raster:
        assert 0.01 < raster.transform.a < 0.03


def test_rivers_that_are_not_there_are_said(whole):
    _, config, notes = whole
    assert config.data.water is None
    assert any(note.startswith("water: OpenStreetMap has none") for note in notes)


def test_the_fetched_config_is_valid(whole):
    folder, *_ = whole
    result = CliRunner().invoke(app, ["validate", str(folder), "--json"])
    assert result.exit_code == 0, result.output
    rows = {row["input"]: row for row in json.loads(result.stdout)["inputs"]}
    assert "2 posts" in rows["posts"]["holds"]
    assert rows["roads"]["used for"].startswith("driven in")
    assert rows["land_cover"]["holds"].startswith("2 codes")


def test_the_users_own_files_are_left_alone(folder, server):
    own = folder / "data" / "incidents.csv"
    own.write_text("date,latitude,longitude\n2020-01-01,35,60.7\n", "utf-8")
    planned = fetching.plan(folder)
    assert "incidents" not in [row.what for row in planned.rows]
    assert any("incidents.csv is your own" in note for note in planned.notes)
    assert "incidents" in [row.what for row in fetching.plan(folder, ["incidents"]).rows]
    assert server.asked == []


@pytest.mark.parametrize("fault", ["page!", "status:404!", "stall!", "reset!"])
def test_a_source_that_fails_leaves_config_and_data_as_they_were(folder, server, fault):
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    server.faults["media.github"] = [fault]
    with pytest.raises(DataError, match="geoBoundaries"):
        fetch(folder, server, "posts", "borders")
    after = {p: p.read_bytes() for p in folder.rglob("*")
             if p.is_file() and ".fetch" not in p.parts}  # fmt: skip
    assert after == before
    server.faults.clear()
    fetch(folder, server, "posts", "borders")
    load_config(folder, check_paths=False)


@pytest.mark.parametrize(
    "fault",
    ["status:503", "status:429:0", "reset", "stall", "no range!", "damaged", "gzip", "cut:3"],
)
def test_elevation_is_right_whatever_happens_to_its_parts(folder, server, fault):
    server.faults["DEM.tif"] = [fault]
    fetch(folder, server, "elevation")
    config = load_config(folder, check_paths=False)
    elevation = open_elevation(config.data.elevation.path)
    values = elevation.read(slice(0, elevation.shape[0]), slice(0, elevation.shape[1]))
    cols, rows = np.meshgrid(np.arange(values.shape[1]) + 0.5, np.arange(values.shape[0]) + 0.5)
    x, y = elevation.transform @ (cols, rows)
    expected = services.height(x, y)
    # The means around a void of one pixel are not those of the hill.
    voided = np.hypot(x - services.VOID[0] - 0.5, y - services.VOID[1] - 0.5) < 0.1
    assert np.nanmax(np.abs(values - expected)[~voided]) < 60


def test_a_tile_that_is_listed_and_gone_is_an_error(folder, server):
    server.faults["N35_00_E060"] = ["status:404!"]
    with pytest.raises(DataError, match=r"GLO-90.*404.*no longer there"):
        fetch(folder, server, "elevation")


def test_a_stopped_fetch_goes_on(folder, server, monkeypatch):
    calls = []

    def stop(*_):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(folder, server, "elevation", progress=stop)
    first = {name for method, name, *_ in server.asked if name.endswith("DEM.tif")}
    server.asked.clear()
    fetch(folder, server, "elevation")
    second = {name for method, name, *_ in server.asked if name.endswith("DEM.tif")}
    assert len(first & second) <= 1
    assert not (folder / "data" / ".fetch" / "new").exists()


def test_a_mirror_made_elsewhere_gives_the_same(whole, folder, server, tmp_path, monkeypatch):
    mirror = tmp_path / "mirror"
    monkeypatch.setattr(downloads.Store, "url", through(server.url, downloads.Store.url))
    what = tuple(row.what for row in fetching.plan(folder).rows)
    count = fetching.export(fetching.plan(folder, what), mirror)
    assert count > 10
    assert (mirror / "ucdp.uu.se" / "downloads" / "ged261-csv.zip").is_file()
    server.asked.clear()
    fetching.fetch(fetching.plan(folder, what), mirror=str(mirror))
    assert server.asked == []
    for path in fetched_files(whole[0]):
        twin = folder / path.relative_to(whole[0])
        assert twin.read_bytes() == path.read_bytes(), path.name


def through(address, url):
    """Ask the loopback server whatever address is asked."""

    def asked(store, remote):
        other = downloads.Store.__new__(downloads.Store)
        other._server = address
        return url(other, remote)

    return asked


def made(word, folder, server, tmp_path, **more):
    """What comes of one upstream."""
    upstream, place = upstreams.UPSTREAMS[word], tmp_path / "new"
    place.mkdir(exist_ok=True)
    wanted = replace(fetching.plan(folder, ["posts"]).wanted, **more)
    store = downloads.Store(tmp_path / "kept", server.url)
    return upstream.make(wanted, store, upstream.find(wanted, store), place), wanted


def test_provinces_are_named(folder, server, tmp_path):
    zones, _ = made("zones", folder, server, tmp_path)
    frame = gpd.read_file(zones.files["data.zones"])
    assert list(frame["name"]) == ["IRN 0", "IRN 1"]
    assert zones.version == "IRN-ADM1-17685810"


def test_crossings_are_named_points(folder, server, tmp_path):
    crossings, _ = made("crossings", folder, server, tmp_path)
    frame = gpd.read_file(crossings.files["data.crossings"])
    assert sorted(frame["name"]) == ["P0", "P1"]
    assert set(frame["kind"]) == {"border_control"}


def test_people_are_summed_and_unknown_abroad(folder, server, tmp_path):
    path, _ = made("population", folder, server, tmp_path, codes=("IRN", "AFG"))
    path = path.files["data.population"]
    with rasterio.open(path) as raster:
        found = raster.read(1, masked=True)
        east = raster.bounds.right
    # Each has 2 people in 230 x 240 pixels of its degree.
    assert raster.bounds.left < 60 and east > 62
    assert found.sum() == 2 * 2 * 230 * 240
    assert np.ma.is_masked(services.values_at(path, 61, 37.4)), "nothing is known of Turkmenistan"
    assert services.values_at(path, 59.5, 34.5) == 0


def test_acled_needs_the_terms_and_an_account(folder, server, monkeypatch):
    with pytest.raises(ConfigError, match="restricts machine learning"):
        fetching.plan(folder, ["acled"])
    assert "acled" not in [row.what for row in fetching.plan(folder).rows]
    planned = fetching.plan(folder, ["acled"], accept_acled_terms=True)
    with pytest.raises(ConfigError, match="no part of a mirror"):
        fetching.fetch(planned, mirror=server.url)
    with pytest.raises(ConfigError, match="not exported"):
        fetching.export(planned, folder / "mirror")
    monkeypatch.setattr(downloads.Store, "url", through(server.url, downloads.Store.url))
    with pytest.raises(ConfigError, match="ACLED_USERNAME"):
        fetching.fetch(planned)
    assert server.asked == []
    monkeypatch.setenv("ACLED_USERNAME", "me@example.org")
    monkeypatch.setenv("ACLED_PASSWORD", "wrong")
    with pytest.raises(DataError, match="account"):
        fetching.fetch(planned)
    monkeypatch.setenv("ACLED_PASSWORD", "pw")
    fetching.fetch(planned)
    config = load_config(folder)
    assert config.data.incidents.layout == "acled"
    assert len(pd.read_csv(config.data.incidents.path)) == 9
    kept = "".join(p.read_text("utf-8") for p in folder.rglob("*")
                   if p.suffix in (".json", ".note", ".yaml", ".csv"))  # fmt: skip
    assert "t0ken" not in kept and "pw" not in kept.split('"')


def test_words_and_dry_run_on_the_command_line(folder, server):
    call = CliRunner().invoke
    shown = call(app, ["fetch", str(folder), "--dry-run", "--json"])
    assert shown.exit_code == 0, shown.output
    facts = json.loads(shown.stdout)
    assert facts["mb"] == pytest.approx(sum(row["mb"] for row in facts["files"]), abs=0.2)
    assert {"what", "source", "files", "mb", "licence"} <= set(facts["files"][0])
    text = call(app, ["fetch", str(folder), "--dry-run"]).stdout
    assert "MB in all" in text and "ODbL-1.0" in text
    wrong = call(app, ["fetch", str(folder), "--what", "elevations"])
    assert wrong.exit_code == 2
    assert "Did you mean elevation?" in wrong.stderr
    late = call(app, ["fetch", str(folder), "--what", "posts", "--mirror", str(folder / "none")])
    assert (late.exit_code, "no such folder" in late.stderr) == (3, True)
    done = call(app, ["fetch", str(folder), "--what", "posts", "--mirror", server.url, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["brought"] == ["posts"]
    assert server.asked


@pytest.mark.parametrize("planted", ["data/.fetch", "data/.fetch/new", "data/fetched"])
def test_a_fetch_writes_through_no_link(folder, server, tmp_path, planted):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = folder / planted
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere)
    with pytest.raises(OutputError, match="is a link"):
        fetch(folder, server, "roads")
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize(
    "answer", ["[]", "[" * 5000, '{"elements": [1]}', '{"elements": [{"type": "way", "id": []}]}']
)
def test_an_answer_of_another_form_is_one_sentence(folder, server, tmp_path, answer):
    mirror, planned = tmp_path / "mirror", fetching.plan(folder, ("roads",))
    fetching.export(planned, mirror, mirror=server.url)
    for path in (path for path in mirror.rglob("*") if path.is_file()):
        path.write_text(answer)
    with pytest.raises(DataError, match="OpenStreetMap"):
        fetching.fetch(planned, mirror=str(mirror))


def test_the_window_lies_where_the_base_says(folder):
    wanted = fetching.plan(folder).wanted
    assert wanted.codes == ("IRN", "AFG", "TKM")
    assert shapely.box(*wanted.window).contains(wanted.near)
    assert wanted.near.intersects(world().border("IRN", "AFG"))
