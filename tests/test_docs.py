"""Every command and Python block of README and docs runs, and what pages promise of files holds."""

import os
import re
import shlex
import shutil
from pathlib import Path

import click
import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from scripts.docs_notebooks import Notebook, command

from borderrisk.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^(<!-- illustration -->\n)?```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`(borderrisk [a-z][^`]*)`")
# What is long, or needs a network; that it is said right is tested all the same.
UNRUN = re.compile(r"make (run|test)\b|borderrisk (fetch|update)\b|.*--(fetch|open)\b")
# What the reader of any page has behind them; `prepared` does it, once.
STARTED = (
    "borderrisk init example",
    "borderrisk run example --no-evaluate",
    "borderrisk init my-border --home Pakistan --neighbours Afghanistan --incidents mine.xlsx",
    "borderrisk run my-border",
)


def blocks(page, *kinds):
    """Blocks of some kinds that a page has, as (illustration?, text)."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [(bool(mark), text) for mark, kind, text in found if kind in kinds]


def lines(text):
    """Commands of a block, continued lines joined, without comments."""
    joined = text.replace("\\\n", " ")
    plain = (re.sub(r"(^|\s)#.*", "", line).strip() for line in joined.splitlines())
    return [line for line in plain if line]


def name_of(page):
    return str(page.relative_to(ROOT))


def parses(line):
    """Refuse a command that does not exist, or options that it does not have."""
    words = shlex.split(line)[1:]
    if words and words[0].startswith("-"):
        return
    context = click.Context(app, info_name="borderrisk")
    made = app.get_command(context, words[0])
    assert made is not None, line
    try:
        made.make_context(words[0], words[1:], parent=context)
    except click.exceptions.Exit:
        pass
    except click.ClickException as error:
        raise AssertionError(f"{line}: {error.format_message()}") from error


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_is_one_that_exists(page):
    for _, text in blocks(page, "sh", ""):
        for line in lines(text):
            if found := re.search(r"(?:^|\s|/)(borderrisk .*)", line):
                parses(found.group(1))
            elif line.startswith("make "):
                assert re.search(rf"^{line.split()[1]}:", (ROOT / "Makefile").read_text(), re.M)
    for line in INLINE.findall(page.read_text(encoding="utf-8")):
        words = line.split()
        if words[1] in app.commands and not re.search(r"[A-Z]{3}|/", line):
            assert words[1] in app.commands


def test_a_command_that_does_not_exist_is_noticed():
    with pytest.raises(AssertionError, match=r"(?i)no such option"):
        parses("borderrisk run my-border --evaluat")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_python_block_is_python(page):
    for _, text in blocks(page, "python"):
        compile(text, name_of(page), "exec")


def test_tutorials_are_kept_without_what_they_showed():
    notebooks = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))
    assert len(notebooks) == 4
    for path in notebooks:
        assert '"outputs": []' in path.read_text(encoding="utf-8")
        for kind, text in Notebook.read(path).cells:
            if kind == "code" and text.startswith("!"):
                for line in text.splitlines():
                    parses(line.lstrip("!"))


def invented(count=60):
    """Incidents on the Pakistani side of the border with Afghanistan."""
    rng = np.random.default_rng(3)
    dates = pd.Timestamp("2018-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 2500, count)), "D")
    return pd.DataFrame(
        {
            "id": [f"M-{k}" for k in range(count)],
            "date": dates.strftime("%Y-%m-%d"),
            "latitude": rng.normal(31.0, 0.4, count).round(3),
            "longitude": rng.normal(67.2, 0.4, count).round(3),
            "radius_km": rng.choice([2, 10, 25], count),
            "kind": "ambush",
        }
    )


def other_layouts(mine):
    """The same incidents as ACLED, GTD and UCDP would have them."""
    place = mine[["latitude", "longitude"]]
    year, month, day = mine["date"].str.split("-", expand=True).T.to_numpy()
    yield "acled.csv", place.assign(
        event_id_cnty=mine["id"], event_date=mine["date"], event_type="Battles", geo_precision=1,
        time_precision=1,
    )  # fmt: skip
    yield "gtd.csv", place.assign(
        eventid=mine["id"], iyear=year, imonth=month, iday=day, specificity=1,
        attacktype1_txt="Armed Assault",
    )  # fmt: skip
    yield "ucdp.csv", place.assign(
        id=range(len(mine)), date_start=mine["date"], date_end=mine["date"], where_prec=1,
        date_prec=1, type_of_violence=1,
    )  # fmt: skip


def squares():
    """Squares with a feature, and twenty years of incidents on some: what model pages speak of."""
    column, row = np.divmod(np.arange(225), 15)
    x, y = 10_000 * column, 10_000 * row
    boxes = shapely.box(x, y, x + 10_000, y + 10_000)
    cells = gpd.GeoDataFrame({"slope": column + 0.1 * row}, geometry=boxes, crs="EPSG:32641")
    dates = pd.date_range("2005-01-15", "2024-12-15", freq="QS")
    at = np.random.default_rng(2).normal(60_000, 15_000, (2, len(dates)))
    incidents = gpd.GeoDataFrame(
        {"date": dates}, geometry=gpd.points_from_xy(*at), crs="EPSG:32641"
    )
    return {"cells": cells, "incidents": incidents}


def coarse(config):
    """Make a config quick: cells of 40 km, small forests, few refits, one map, no figures."""
    text = re.sub(r"cell_size_m: \d+", "cell_size_m: 40000", config.read_text(encoding="utf-8"))
    text = re.sub(r"^  focus: \[.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(
        r"^outputs:\n", "outputs:\n  focus: []\n  figures: []\n", text, flags=re.MULTILINE
    )
    text += "\nmodel: {parameters: {n_estimators: 10}}\nuncertainty: {replicates: 2}\n"
    config.write_text(text, encoding="utf-8")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A folder as readers have it when they are through Start: data, two borders, their runs."""
    home = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "configs", home / "configs")
    shutil.copytree(ROOT / "data" / "raw", home / "data" / "raw")
    mine = invented()
    pyogrio.write_dataframe(mine, home / "mine.xlsx", driver="XLSX")
    for name, table in other_layouts(mine):
        table.to_csv(home / name, index=False)
    record = pd.read_csv(ROOT / "data" / "raw" / "incidents.csv")
    record[record["date"] >= "2025-01-01"].to_csv(home / "incidents-2025.csv", index=False)
    for config in (home / "configs").glob("*.yaml"):
        coarse(config)
    for line in STARTED:
        code, said = quick(line, home)
        assert code == 0, said
        if " init " in line:
            coarse(home / line.split()[2] / "config.yaml")
    return home


def quick(line, folder):
    """Run a command on coarse cells; one that makes a folder again makes it elsewhere."""
    words = shlex.split(line)
    if words[1] == "init" and len(words) > 2 and (folder / words[2]).exists():
        line = line.replace(f"init {words[2]}", f"init again-{words[2]}")
    if words[1] == "run" and "--no-evaluate" not in words:
        line += " --no-evaluate"
    return command(line, folder=folder)


RUNNABLE = [p for p in PAGES if any(not mark for mark, _ in blocks(p, "sh", "python"))]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_what_a_page_says_to_do_can_be_done(page, prepared, tmp_path, monkeypatch):
    here = tmp_path / "reader"
    shutil.copytree(prepared, here)
    monkeypatch.chdir(here)
    for mark, text in blocks(page, "sh"):
        for line in [] if mark else lines(text):
            if UNRUN.match(line) or not line.startswith("borderrisk "):
                assert re.match(r"make |borderrisk |\. \.venv/|\w+=\S+$", line), line
                if found := re.match(r"(\w+)=(\S+)$", line):
                    monkeypatch.setitem(os.environ, *found.groups())
                continue
            code, said = (0, "") if line in STARTED else quick(line, here)
            assert code == 0, f"{name_of(page)}: {line}\n{said}"
    space = squares()
    for mark, text in blocks(page, "python"):
        if not mark:
            exec(compile(text, name_of(page), "exec"), space)


@pytest.mark.slow
def test_the_page_of_files_names_every_column_and_file_of_a_run(prepared):
    (run,) = (prepared / "my-border" / "runs").glob("2*")
    page = (ROOT / "docs" / "reference" / "files.md").read_text(encoding="utf-8")
    sections = gpd.read_file(run / "segments.geojson").columns
    missing = {name for name in sections if f"`{name}`" not in page} - {"geometry", "driver_2"}
    assert missing == set()
    for path in run.iterdir():
        assert path.is_dir() or path.suffix in (".qml", ".html") or path.stem in page, path.name
