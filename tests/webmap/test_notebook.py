"""The map in a notebook: as folium elements that others can be added to."""

import json
import re
from pathlib import Path

import folium
import numpy as np
import pytest
from click.testing import CliRunner

import borderrisk
from borderrisk.cli.app import app
from borderrisk.errors import ConfigError
from borderrisk.outputs.gridfiles import save_scene
from borderrisk.outputs.webmap.notebook import RiskLayer, risk_map

NOTEBOOK = Path(__file__).parents[2] / "docs" / "tutorials" / "python-api.ipynb"


@pytest.fixture(scope="module")
def run(scene, tmp_path_factory):
    """A finished run on disk, as far as a notebook reads it."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    save_scene(scene, folder / "scene")
    (folder / "manifest.json").write_text(json.dumps({"counts": {"cells scored": 9}}))
    return folder


@pytest.fixture
def opened(chromium, tmp_path):
    """Open a folium map from a file; no request may leave the page and no error be thrown."""
    heard, pages = [], []

    def open_(map_, *, network=()):
        path = tmp_path / "map.html"
        map_.save(path)
        page = chromium.new_page(viewport={"width": 900, "height": 600})
        pages.append(page)
        page.on("request", lambda r: heard.append(r.url) if r.url.startswith("http") else None)
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_selector(".br-legend")
        page.wait_for_timeout(300)
        return page

    yield open_
    for page in pages:
        page.close()
    assert heard == []


def test_unknown_layers_are_refused_with_those_there_are(scene):
    with pytest.raises(ConfigError, match=r"'height'; there are: risk, .*slope_mean"):
        RiskLayer(scene, "height")
    with pytest.raises(ConfigError, match="int"):
        RiskLayer(3)
    with pytest.raises(ConfigError, match="'de'"):
        RiskLayer(scene, language="de")
    with pytest.raises(ConfigError, match="nowhere"):
        risk_map(scene, focus="nowhere")


def test_a_result_shows_itself_and_its_map(run):
    result = borderrisk.open_run(run)
    card = result._repr_html_()
    assert "Test border" in card
    assert "2024-01-01 to 2024-12-30" in card
    assert "reported incidents" in card
    assert "<script" not in card
    shown = result.map()
    assert isinstance(shown, folium.Map)
    assert "srcdoc" in shown._repr_html_()
    assert len(result.segments) == 1
    assert result.segments.crs == 4326


@pytest.mark.parametrize(("asked", "opened"), [([], "map.html"), (["east"], "map-east.html")])
def test_open_opens_the_map_that_was_asked_for(run, tmp_path, monkeypatch, asked, opened):
    """Over the command line, without a browser."""
    launched = []
    monkeypatch.setattr("click.launch", launched.append)
    focus = ["--focus", *asked] if asked else []
    command = ["map", str(run), "--out", str(tmp_path), "--open", *focus]
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 0, told.output
    assert launched == [(tmp_path / opened).resolve().as_uri()]


@pytest.mark.browser
def test_a_map_takes_further_layers_and_opens_without_a_network(opened, scene):
    shown = risk_map(scene, "probability")
    folium.Marker([31, 60], popup="mine", tooltip="here").add_to(shown)
    folium.LayerControl().add_to(shown)
    page = opened(shown)
    assert "Probability" in page.locator(".br-legend").inner_text()
    said = page.locator(".leaflet-control-attribution").inner_text()
    for part in ("2024-01-01 to 2024-12-30", "2024-01-01-abc", "history alone", "by them"):
        assert part in said
    assert page.locator(".leaflet-marker-icon").evaluate("node => node.naturalWidth") > 10
    page.locator(".leaflet-marker-icon").click()
    page.wait_for_selector(".leaflet-popup-content")
    assert "mine" in page.locator(".leaflet-popup-content").inner_text()
    names = page.locator(".leaflet-control-layers-overlays").text_content()
    assert "Probability" in names
    assert "Borders" in names


@pytest.mark.browser
def test_a_click_says_what_the_whole_map_says(opened, scene):
    shown = risk_map(scene)
    page = opened(shown)
    name = shown.get_name()
    x, y = page.evaluate(f"""(() => {{
      const at = {name}.latLngToContainerPoint([31.0, 60.1]);
      return [at.x, at.y];
    }})()""")
    page.mouse.click(x, y)
    page.wait_for_selector(".leaflet-popup [data-br=said-chance]")
    text = page.locator(".leaflet-popup").inner_text()
    assert "Rely on it? Yes" in text
    assert re.search(r"class \d of 5", text)


@pytest.mark.browser
def test_layers_of_one_map_come_and_go_with_their_legends(opened, scene):
    shown = risk_map(scene)
    RiskLayer(scene, "slope_mean", show=False, name="Slope").add_to(shown)
    folium.LayerControl(collapsed=False).add_to(shown)
    page = opened(shown)
    assert page.locator(".br-legend").count() == 1
    page.get_by_label("Slope").check()
    assert page.locator(".br-legend").count() == 2
    page.get_by_label("Risk").uncheck()
    assert page.locator(".br-legend").count() == 1
    assert page.locator(".leaflet-layer canvas").count() > 0


def test_only_folium_icons_are_fetched(scene):
    shown = risk_map(scene)
    fetched = re.compile(r"""<(?:script|link)[^>]+(?:src|href)=["']?(https?:[^"' >]+)""")
    assert fetched.findall(shown.get_root().render()) == []
    again = risk_map(scene)
    folium.Marker([31, 60], icon=folium.Icon()).add_to(again)
    found = " ".join(fetched.findall(again.get_root().render()))
    assert "awesome-markers" in found
    assert "/leaflet.js" not in found


def test_tables_explore(run):
    pytest.importorskip("mapclassify", reason="explore() of geopandas needs mapclassify")
    result = borderrisk.open_run(run)
    for table, column in ((result.cells, "risk"), (result.segments, "rank")):
        assert isinstance(table.explore(column, tiles=None), folium.Map)


def test_the_notebook_runs(run, monkeypatch):
    """Its cells, in their order, on a small run."""
    monkeypatch.setenv("BORDERRISK_RUN", str(run))
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    space: dict = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            exec(compile("".join(cell["source"]), str(NOTEBOOK), "exec"), space)
    assert isinstance(space["m"], folium.Map)
    assert np.isfinite(space["places"]["risk"]).all()
