"""The map in Firefox: it opens without a request or an error, and shows the scene's numbers."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from borderrisk.outputs.palette import RISK_COLOURS

pytestmark = pytest.mark.browser
BARE = "hide=top,places,incidents,borders,area,hatch,segments,odd-layer,relief"
WARM = "return document.documentElement.dataset.warm !== undefined"
SPOT = """const outline = BR.cellOutline(BR.app, BR.app.cells.find(arguments[0]));
  const box = BR.app.map.getContainer().getBoundingClientRect();
  const at = BR.app.map.latLngToContainerPoint(L.latLngBounds(outline).getCenter());
  return [box.left + at.x, box.top + at.y];"""
SWATCH = """const swatches = document.querySelectorAll('.br-legend .br-swatch[data-class]');
  const node = [...swatches].find((swatch) => swatch.dataset.class === String(arguments[0]));
  const box = node.getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2];"""


@pytest.fixture
def page(firefox, map_file):
    """Open the map; after the test there must have been no request and no error."""

    def open_(hash_="", path=map_file):
        firefox.open(path.as_uri() + hash_)
        firefox.until(WARM)
        return firefox

    yield open_
    asked = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    assert [name for name in firefox.run(asked) if not name.startswith(("data:", "blob:"))] == []
    assert firefox.errors() == []


def image_of(page):
    shot = imread(io.BytesIO(page.screenshot()), format="png")
    return np.rint(shot[..., :3] * 255).astype(int)


def colour(image, xy):
    x, y = (int(v) for v in xy)
    return "#" + "".join(f"{c:02x}" for c in image[y, x])


def test_cells_have_exactly_the_legends_colours(page, scene):
    open_page = page(f"#{BARE}")
    image = image_of(open_page)
    classes = scene.cells["risk_class"].to_numpy()
    for k in range(1, 6):
        rows, cols = np.nonzero(classes[:16, :24] == k)
        spot = open_page.run(SPOT, f"r{rows[0]:03d}c{cols[0]:03d}")
        swatch = open_page.run(SWATCH, k)
        assert colour(image, spot) == colour(image, swatch) == RISK_COLOURS[k - 1]


def test_a_click_opens_the_popup_of_the_cell(page, scene):
    open_page = page(f"#{BARE}")
    open_page.click(*open_page.run(SPOT, "r010c020"))
    open_page.until("return document.querySelector('.leaflet-popup .br-id') !== null")
    text = open_page.run("return document.querySelector('.leaflet-popup').innerText")
    assert "r010c020" in text
    number = "return document.querySelector('.leaflet-popup [data-br=probability]').textContent"
    shown = float(open_page.run(number).rstrip("%")) / 100
    value = float(scene.cells["probability"].to_numpy()[10, 20])
    assert shown == pytest.approx(value, rel=0.005)


def test_the_language_switches_to_persian(page):
    open_page = page()
    open_page.run("document.querySelector('[data-tool=language]').click()")
    open_page.until("return document.documentElement.dir === 'rtl'")
    assert open_page.run("return document.querySelector('h1').innerText") == "مرز آزمایشی"


def test_the_policy_stops_a_request_and_the_console_tells(firefox, map_file):
    firefox.open(map_file.as_uri())
    firefox.until(WARM)
    assert firefox.errors() == []
    firefox.run("new window.Image().src = 'https://example.org/a.png'")
    firefox.until("return performance.now() > 0")
    told = [text for text in firefox.errors() if "Content-Security-Policy" in text]
    assert "https://example.org/a.png" in told[0]
