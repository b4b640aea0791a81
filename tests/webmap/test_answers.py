"""What a reader asks of the map: of when it is, where something is, what adds up, and why."""

import csv
import io
import json
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from tests.outputs.test_reasons import world  # noqa: F401  (a fixture)
from tests.webmap.conftest import HOSTILE
from tests.webmap.test_browser import BARE, cell_id, colour, pixels, spot, until

from borderrisk.outputs.palette import DARK_RAMPS, RAMPS, rgb
from borderrisk.outputs.placefacts import Reader
from borderrisk.outputs.reasons import answer, vocabulary
from borderrisk.outputs.webmap import write_map
from borderrisk.scores import PART_SIZE, count_bounds, expected_count

pytestmark = pytest.mark.browser
PICTURE = """async () => {
  const canvas = BR.picture(BR.app, 1);
  const text = [];
  const draw = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (...a) {
    text.push(a[0]);
    draw.apply(this, a);
  };
  BR.picture(BR.app, 1);
  CanvasRenderingContext2D.prototype.fillText = draw;
  return {url: canvas.toDataURL(), text};
}"""


def expected(scene):
    """Incidents to expect in each cell of the scene within its horizon; 0 outside."""
    cells = scene.cells
    area = np.nan_to_num(cells["exposure"].to_numpy()) * scene.grid.cell_area_km2 / 100
    intensity = np.nan_to_num(cells["intensity"].to_numpy().astype(float))
    return expected_count(intensity, area, scene.meta.horizon_days)


def contrast(a, b):
    """Contrast of two colours by WCAG 2."""

    def light(hex_):
        part = np.array(rgb(hex_)) / 255
        linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722]) + 0.05

    return max(light(a), light(b)) / min(light(a), light(b))


def hue(hex_):
    """Hue of a colour in the Oklab plane, degrees (Ottosson 2020)."""
    to_lms = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_ab = [
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    part = np.array(rgb(hex_)) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    a, b = np.array(to_ab) @ np.cbrt(np.array(to_lms) @ linear)
    return np.degrees(np.arctan2(b, a))


@pytest.mark.parametrize("name", DARK_RAMPS)
def test_high_stands_out_on_a_dark_ground_with_the_hues_of_the_light_one(name):
    against = [contrast(colour_, "#0c1014") for colour_ in DARK_RAMPS[name]]
    assert against == sorted(against)
    assert against[-1] > 6 * against[0]
    for dark, light in zip(DARK_RAMPS[name], RAMPS[name], strict=True):
        if max(rgb(light)) - min(rgb(light)) > 40:
            assert abs((hue(dark) - hue(light) + 180) % 360 - 180) < 12, (dark, light)


def test_cells_and_legend_keep_the_order_in_the_dark(open_map):
    page = open_map(f"#{BARE}", color_scheme="dark")
    image = pixels(page)
    shown = []
    for k in range(1, 6):
        box = page.locator(f".br-legend .br-swatch[data-class='{k}']").bounding_box()
        shown.append(colour(image, box["x"] + 12, box["y"] + 7))
    assert shown == list(DARK_RAMPS["inferno"])
    assert page.evaluate("BR.layerRamp(BR.app, BR.app.config.layers[1])") == shown


def test_map_paper_and_picture_say_what_they_are_of(open_map):
    page = open_map()
    told = (
        "2024-01-01 to 2024-12-30", "data until 2022-12-31", "2024-01-01-abc", "78%", "70%",
        "+0.31", "by them",
    )  # fmt: skip
    caption = page.locator(".br-caption").inner_text()
    picture = page.evaluate(PICTURE)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    paper = page.locator(".br-caption")
    assert paper.is_visible()
    assert page.locator(".br-credit").evaluate("node => node.scrollWidth <= node.clientWidth")
    isolates = str.maketrans("", "", "\u2066\u2069")
    texts = (caption, paper.inner_text(), " ".join(picture["text"]))
    for text in (text.translate(isolates) for text in texts):
        assert [part for part in told if part not in text] == []
    foot, map_ = paper.bounding_box(), page.locator(".folium-map").bounding_box()
    assert foot["y"] >= map_["y"] + map_["height"] - 1
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")


def test_the_caption_never_lies_over_the_map(open_map):
    for size in ((1280, 800), (390, 800)):
        page = open_map(size=size)
        foot, map_ = (page.locator(s).bounding_box() for s in (".br-caption", ".folium-map"))
        assert foot["y"] == pytest.approx(map_["y"] + map_["height"], abs=1)
        assert foot["y"] + foot["height"] == pytest.approx(size[1], abs=1)
        assert foot["height"] < 0.16 * size[1]


def test_a_picture_holds_the_cells_and_is_offered_as_a_file(open_map, scene):
    page = open_map(f"#{BARE}", color_scheme="dark")
    x, y = page.evaluate(
        """id => {
      const middle = L.latLngBounds(BR.cellOutline(BR.app, BR.app.cells.find(id))).getCenter();
      const at = BR.app.map.latLngToContainerPoint(middle);
      const canvas = BR.picture(BR.app, 1);
      return [...canvas.getContext('2d').getImageData(at.x, at.y, 1, 1).data].slice(0, 2);
    }""",
        cell_id(10, 20),
    )
    assert (x, y) == rgb(DARK_RAMPS["inferno"][4])[:2]
    with page.expect_download() as found:
        page.locator("[data-tool=picture]").click()
    assert found.value.suggested_filename == "map-risk-2024-01-01-abc.png"
    assert found.value.path().read_bytes()[:4] == b"\x89PNG"


def typed(page, text):
    """What the search says to a text, and where its pin is."""
    page.evaluate("BR.app.pin && BR.app.pin.remove()")
    page.locator("#br-search").fill(text)
    page.locator("#br-search").press("Enter")
    pin = """BR.app.pin && BR.app.map.hasLayer(BR.app.pin) &&
      [BR.app.pin.getLatLng().lat, BR.app.pin.getLatLng().lng]"""
    return page.locator(".br-search [role=status]").inner_text(), page.evaluate(pin)


def test_positions_typed_either_way_round_are_found_and_others_refused(open_map):
    page = open_map(f"#{BARE}")
    for text in ("30.9, 60.1", "30°54′N 60°06′E", "60.1E 30.9N", "۳۰٫۹، ۶۰٫۱", "30 54 00 60 06 00"):
        said, pin = typed(page, text)
        assert pin == pytest.approx([30.9, 60.1], abs=1e-4), text
        assert "30.9000, 60.1000" in said
        assert "30°54′00″N 60°06′00″E" in said
        assert page.evaluate("p => BR.app.map.getBounds().contains(p)", pin)
    said, pin = typed(page, "60.1, 30.9")
    assert pin == pytest.approx([30.9, 60.1], abs=1e-4)
    assert "longitude, latitude" in said
    view = page.evaluate("BR.app.map.getCenter()")
    said, pin = typed(page, "48.85, 2.35")
    assert not pin
    assert "not on this map" in said
    assert page.evaluate("BR.app.map.getCenter()") == view
    said, pin = typed(page, "31.0, 61.9")
    assert pin
    assert "outside the scored area" in said


def test_coordinates_are_shown_as_decimals_and_as_degrees_minutes_seconds(open_map):
    page = open_map(f"#{BARE}&cell=r010c020")
    line = page.locator(".leaflet-popup [data-br=position]").inner_text()
    lat, lon = page.evaluate(
        "(({lat, lon}) => [lat, lon])(BR.cellMiddle(BR.app, BR.app.cells.find('r010c020')))"
    )
    assert f"{lat:.4f}, {lon:.4f}" in line
    assert f"{int(lat)}°{int(lat * 60 % 60):02d}′" in line
    page.mouse.move(*spot(page, 12, 12))
    assert "″N " in page.locator(".br-coordinates").inner_text()


@pytest.mark.parametrize("language", ["en", "fa"])
@pytest.mark.parametrize("size", [(1280, 800), (800, 600), (390, 800)])
def test_scale_read_out_overview_and_caption_keep_apart(open_map, language, size):
    page = open_map(f"#{BARE}&lang={language}", size=size)
    page.mouse.move(size[0] * 0.6, size[1] * 0.4)
    parts = (".leaflet-control-scale", ".br-coordinates", ".br-mini", ".br-caption", ".br-legend")
    boxes = [page.locator(s).bounding_box() for s in parts if page.locator(s).is_visible()]
    assert len(boxes) >= 3
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            assert (
                a["x"] + a["width"] <= b["x"] + 1
                or b["x"] + b["width"] <= a["x"] + 1
                or a["y"] + a["height"] <= b["y"] + 1
                or b["y"] + b["height"] <= a["y"] + 1
            ), (a, b)


def test_two_fingers_may_zoom(open_map):
    page = open_map(size=(390, 800), has_touch=True, is_mobile=True)
    lines = page.locator("meta[name=viewport]").evaluate_all("all => all.map((m) => m.content)")
    assert lines == ["width=device-width, initial-scale=1"]
    assert page.evaluate("BR.app.map.touchZoom.enabled()")
    session = page.context.new_cdp_session(page)
    before = page.evaluate("BR.app.map.getZoom()")
    for kind, gap in (("touchStart", 20), ("touchMove", 40), ("touchMove", 90), ("touchEnd", 0)):
        fingers = [{"x": 195 - gap, "y": 330}, {"x": 195 + gap, "y": 330}] if gap else []
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})
        page.wait_for_timeout(60)
    until(page, "before => BR.app.map.getZoom() > before", before)


@pytest.fixture(scope="module")
def crowded(scene, tmp_path_factory):
    """A map on which 7 incidents lie on one place, and one so near that its dot is covered."""
    first = scene.incidents.iloc[[0] * 8].reset_index(drop=True)
    days = pd.date_range("2016-01-01", periods=8, freq="30D")
    points = [shapely.Point(60.2, 31.0)] * 7 + [shapely.Point(60.203, 31.0)]
    stack = gpd.GeoDataFrame(
        first.drop(columns="geometry").assign(
            incident_id=[f"S-{k}" for k in range(8)], date=days, date_end=days
        ),
        geometry=points,
        crs=4326,
    )
    both = gpd.GeoDataFrame(pd.concat([scene.incidents, stack], ignore_index=True), crs=4326)
    path = tmp_path_factory.mktemp("crowd") / "map.html"
    write_map(replace(scene, incidents=both), path)
    return path


def test_every_incident_of_a_place_can_be_reached(open_map, crowded):
    page = open_map("#hide=places,segments,odd-layer,borders,area", path=crowded)
    x, y = page.evaluate("""(() => {
      const box = BR.app.map.getContainer().getBoundingClientRect();
      const at = BR.app.map.latLngToContainerPoint([31.0, 60.2]);
      return [box.left + at.x, box.top + at.y];
    })()""")
    assert page.locator(".br-count").all_inner_texts() == ["7"]
    page.mouse.click(x, y)
    stacked = page.locator(".leaflet-popup [data-br=stacked]")
    names = stacked.evaluate_all("all => all.map((node) => node.dataset.incident)")
    assert names == [f"S-{k}" for k in range(7, -1, -1)]
    assert "8 incidents here" in page.locator(".leaflet-popup").inner_text()
    stacked.nth(7).locator("summary").click()
    assert "agency" in stacked.nth(7).inner_text()
    page.evaluate("BR.app.update({from: '2016-05-01', to: '2016-12-31'})")
    assert page.locator(".br-count").all_inner_texts() == ["2"]


def test_incidents_in_view_are_listed_for_the_keyboard(open_map, crowded):
    page = open_map(path=crowded)
    page.locator(".br-incidents > summary").focus()
    page.keyboard.press("Enter")
    names = ".br-incidents button"
    until(page, f"document.querySelectorAll('{names}').length === 12")
    shown = page.locator(names).evaluate_all("all => all.map((node) => node.dataset.incident)")
    assert {f"S-{k}" for k in range(8)} | {"A-1", "A-2", "A-3", "A-4"} == set(shown)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".leaflet-popup .br-pop:focus")
    page.keyboard.press("Escape")
    page.wait_for_selector(".leaflet-popup", state="detached")
    assert page.evaluate("document.activeElement.dataset.incident") == shown[0]
    page.evaluate("BR.app.map.setView([31.3, 60.6], 11, {animate: false})")
    assert page.locator(names).evaluate_all("all => all.map((n) => n.dataset.incident)") == ["A-1"]


@pytest.mark.parametrize("language", ["en", "fa"])
def test_the_accessibility_tree_names_everything_that_can_be_used(open_map, language):
    page = open_map(f"#cell=r010c020&lang={language}")
    page.wait_for_selector(".leaflet-popup .br-id")
    page.evaluate("BR.app.sums.view()")
    page.wait_for_selector(".br-sums")
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    told = [
        (node["role"]["value"], node.get("name", {}).get("value", "").strip())
        for node in nodes
        if not node.get("ignored")
    ]
    used = {
        "button", "checkbox", "slider", "combobox", "searchbox", "textbox", "link", "application",
        "dialog", "navigation", "complementary", "region", "contentinfo", "DisclosureTriangle",
    }  # fmt: skip
    assert [role for role, name in told if role in used and not name] == []
    roles = [role for role, _ in told]
    assert roles.count("application") == roles.count("dialog") == 1
    assert roles.count("heading") >= 5
    assert not {"listbox", "option"} & {r for r, name in told if name == "br-results"}
    canvases = [name for role, name in told if role == "Canvas" and name]
    assert canvases == []


def test_the_ten_highest_places_say_why(open_map, scene):
    page = open_map(f"#{BARE}")
    folds = page.locator(".br-top details")
    assert folds.count() == 10
    rank = scene.cells["rank"].to_numpy()
    chosen = []
    for k in range(1, int(np.nanmax(rank)) + 1):
        at = np.argwhere(rank == k)[0]
        if all(np.hypot(*(at - other)) >= 2 for other in chosen) and len(chosen) < 10:
            chosen.append(at)
    wanted = [cell_id(*at) for at in chosen]
    assert folds.evaluate_all("all => all.map((node) => node.dataset.cell)") == wanted
    assert "Taybad" in folds.first.inner_text() or "Zahak" in folds.first.inner_text()
    folds.first.locator("summary").click()
    page.wait_for_selector(".br-top details[open] [data-act=show]")
    told = folds.first.inner_text()
    assert f"Rank 1 of {int(np.isfinite(rank).sum())}" in told
    folds.first.locator("[data-act=show]").click()
    page.wait_for_selector(".leaflet-popup .br-id")
    assert page.locator(".leaflet-popup .br-id").inner_text() == wanted[0]


def test_popups_say_what_every_other_output_says(open_map, world, tmp_path):  # noqa: F811
    """Every cell of four worlds, in both languages, word for word."""
    # The planted towns are half kilometres off, where rounding is a matter of the last bit.
    towns = world.settlements.set_geometry(world.settlements.translate(0.0123, 0.0057))
    world = replace(world, settlements=towns)
    write_map(world, tmp_path / "map.html")
    page = open_map(path=tmp_path / "map.html")
    reader = Reader.of(world)
    facts, places = reader.cells(), reader.places()
    script = """language => Array.from({length: BR.app.cells.count},
      (_, i) => BR.answer(BR.app, i, language))"""
    for language in ("en", "fa"):
        words = vocabulary(world, language)
        wanted = [answer(f, words, p.said(language)) for f, p in zip(facts, places, strict=True)]
        found = page.evaluate(script, language)
        assert len(found) == len(wanted) > 50
        for mine, its in zip(found, wanted, strict=True):
            assert mine == {name: getattr(its, name) for name in mine}
    row, col = np.argwhere(reader.mask)[20]
    page.evaluate("id => BR.app.select(BR.app.cells.find(id))", cell_id(row, col))
    page.wait_for_selector(".leaflet-popup [data-br=said-why]")
    its = answer(facts[20], vocabulary(world, "en"), places[20].said("en"))
    popup = page.locator(".leaflet-popup").inner_text()
    for said in (its.head, its.chance, its.rank, its.why, its.rely):
        assert said in popup
    assert page.locator(".leaflet-popup .br-numbers").get_attribute("open") is None


def number(page, name):
    """First number of a line of the card of sums."""
    return [
        float(word.rstrip("%").replace(",", ""))
        for word in page.locator(f"[data-br={name}]").inner_text().split()
        if word[0].isdigit()
    ]


def inside(scene, polygon):
    """Scored cells whose middle lies in a polygon of degrees."""
    lon, lat = scene.grid.lonlat()
    held = shapely.contains_xy(polygon, lon, lat)
    return held & np.isfinite(scene.cells["risk"].to_numpy())


def test_a_drawn_area_adds_up(open_map, scene):
    page = open_map(f"#{BARE}")
    corners = [(10, 12), (10, 20), (16, 20), (16, 12)]
    page.locator("[data-tool=draw]").click()
    for row, col in corners:
        page.mouse.click(*spot(page, row, col))
    page.mouse.click(*spot(page, *corners[-1]))
    page.wait_for_selector(".br-sums")
    ring = page.evaluate("BR.app.sums.what.geometry.coordinates[0]")
    held = inside(scene, shapely.Polygon(ring))
    assert held.sum() > 20
    mean = float(expected(scene)[held].sum())
    assert number(page, "sum-expected")[0] == pytest.approx(mean, rel=0.01)
    share = mean / expected(scene).sum()
    assert number(page, "sum-share")[0] / 100 == pytest.approx(share, abs=0.005)
    count = [int(bound[0]) for bound in count_bounds(np.array([mean]), 0.9, PART_SIZE)]
    assert number(page, "sum-count") == count
    low, high = number(page, "sum-interval")
    assert low < mean < high
    assert f"{held.sum()} cells" in page.locator(".br-sums").inner_text()
    best = np.where(held, scene.cells["risk"].to_numpy(), -1)
    row, col = np.unravel_index(best.argmax(), best.shape)
    assert page.locator(".br-sums ol .br-id").first.inner_text() == cell_id(row, col)
    assert "narrower" in page.locator(".br-sums").text_content()
    page.locator(".br-sums [data-act=close]").click()
    assert page.locator(".br-sums").count() == 0


def test_two_halves_of_the_view_are_the_whole(open_map, scene):
    page = open_map(f"#{BARE}")
    half = """async ring => { await BR.app.sums.polygon(ring); return BR.app.sums.what.sum; }"""
    west, south, east, north, middle = 55.0, 27.0, 65.0, 34.0, 60.1234
    left = [[south, west], [south, middle], [north, middle], [north, west]]
    right = [[south, middle], [south, east], [north, east], [north, middle]]
    parts = [page.evaluate(half, ring) for ring in (left, right)]
    total = expected(scene).sum()
    assert sum(part["expected"] for part in parts) == pytest.approx(total, rel=1e-3)
    assert sum(part["share"] for part in parts) == pytest.approx(1, rel=1e-3)
    assert sum(part["areaShare"] for part in parts) == pytest.approx(1, rel=5e-3)


def test_the_sum_of_the_view_follows_it(open_map, scene):
    page = open_map(f"#{BARE}")
    page.locator("[data-tool=sum]").click()
    page.wait_for_selector(".br-sums")
    assert number(page, "sum-share")[0] == pytest.approx(100, abs=1)
    page.evaluate("BR.app.map.setView([31, 60.3], 10, {animate: false})")
    until(page, "BR.app.sums.what.sum.share < 0.5")
    west, south, east, north = page.evaluate("""(() => { const b = BR.app.map.getBounds();
      return [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()]; })()""")
    mean = expected(scene)[inside(scene, shapely.box(west, south, east, north))].sum()
    assert number(page, "sum-expected")[0] == pytest.approx(mean, rel=0.01)
    page.locator("[data-tool=sum]").click()
    assert page.locator(".br-sums").count() == 0


@pytest.fixture(scope="module")
def sections(scene, tmp_path_factory):
    """A map with two sections that have a forecast, and roads, crossings and province lines."""
    lines = [
        shapely.LineString([(61.3, 29.9), (61.35, 30.8)]),
        shapely.LineString([(61.35, 30.8), (61.2, 31.9)]),
    ]
    table = {
        "segment_id": ["A-1", "A-2"], "pair": "IRN-AFG", "from_km": [0.0, 99.0],
        "to_km": [99.0, 220.0], "why_en": ["Because of A.", "Because of B."], "why_fa": ["آ", "ب"],
        "rely_en": "Yes.", "rely_fa": "بله.", "level": ["low", "critical"], "rank": [2, 1],
        "rate_per_km": [0.1, 0.4],
        "expected": [0.8, 2.4], "expected_per_year": [0.4, 1.2], "expected_low": [0.4, 1.2],
        "expected_high": [1.2, 4.0], "count_low": [0, 0], "count_high": [3, 7],
        "share": [0.25, 0.75],
    }  # fmt: skip
    layers = {
        "segments": gpd.GeoDataFrame(table, geometry=lines, crs=4326),
        "roads": gpd.GeoDataFrame(
            {"class": ["trunk"]}, geometry=[shapely.LineString([(59, 31), (61, 31.2)])], crs=4326
        ),
        "crossings": gpd.GeoDataFrame(
            {"name": ["=HYPERLINK(1)"]}, geometry=[shapely.Point(61.3, 30.5)], crs=4326
        ),
        "zones": gpd.GeoDataFrame(
            {"name": ["South"]}, geometry=[shapely.box(59, 30, 61, 31)], crs=4326
        ),
    }
    places = scene.settlements.assign(name="=cmd|' /C calc'!A0")
    path = tmp_path_factory.mktemp("sections") / "map.html"
    write_map(replace(scene, layers=layers, settlements=places), path)
    return path


def test_a_clicked_section_tells_its_own_forecast(open_map, sections):
    page = open_map(path=sections)
    page.evaluate("BR.app.config.layers.find((l) => l.name === 'segments').features[1].shape"
                  ".openPopup()")  # fmt: skip
    popup = page.locator(".leaflet-popup").inner_text()
    for said in ("level critical", "incidents: 2.4 (1.2 to 4)", "Because of B."):
        assert said in popup
    page.locator(".leaflet-popup [data-act=section]").click()
    page.wait_for_selector(".br-sums")
    assert number(page, "sum-expected") == [2.4]
    assert number(page, "sum-interval") == [1.2, 4]
    assert number(page, "sum-count") == [0, 7]
    assert number(page, "sum-share") == [75]
    assert "A-2" in page.locator(".br-sums h2").inner_text()
    assert "refits" in page.locator(".br-sums").text_content()
    tops = page.locator(".br-sums ol .br-id").all_inner_texts()
    lat = [page.evaluate("id => BR.cellMiddle(BR.app, BR.app.cells.find(id)).lat", t) for t in tops]
    assert len(lat) == 5
    assert min(lat) > 30.7


def test_what_adds_up_is_saved_as_geojson_and_as_safe_csv(open_map, sections, scene):
    page = open_map(path=sections)
    page.evaluate("BR.app.sums.polygon([[30.6, 60], [30.6, 60.6], [31.1, 60.6], [31.1, 60]])")
    page.wait_for_selector(".br-sums")
    held = inside(scene, shapely.box(60, 30.6, 60.6, 31.1))
    with page.expect_download() as found:
        page.locator("[data-act=geojson]").click()
    data = json.loads(found.value.path().read_text(encoding="utf-8"))
    whole, *cells = data["features"]
    assert data["run_id"] == "2024-01-01-abc"
    assert data["forecast_period"] == "2024-01-01 to 2024-12-30"
    assert whole["properties"]["cells"] == len(cells) == held.sum()
    assert whole["properties"]["expected"] == pytest.approx(expected(scene)[held].sum(), rel=1e-3)
    frame = gpd.GeoDataFrame.from_features(cells, crs=4326)
    assert frame.is_valid.all()
    assert frame["expected"].sum() == pytest.approx(expected(scene)[held].sum(), rel=1e-3)
    with page.expect_download() as found:
        page.locator("[data-act=csv]").click()
    text = found.value.path().read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["cell_id"] for row in rows} == set(frame["cell_id"])
    assert {row["forecast_period"] for row in rows} == {"2024-01-01 to 2024-12-30"}
    assert all(row["near"][0] not in "=+-@" for row in rows)
    assert sum(float(row["expected"]) for row in rows) == pytest.approx(
        expected(scene)[held].sum(), rel=1e-3
    )


def test_roads_crossings_and_province_lines_are_drawn_where_there_are_any(open_map, sections):
    page = open_map(path=sections)
    legend = page.locator(".br-legend").inner_text()
    for name, words in (("roads", "Roads"), ("crossings", "rossings"),
                        ("zones", "Zones")):  # fmt: skip
        assert page.evaluate("name => BR.app.map.hasLayer(BR.app.groups[name])", name)
        assert words in legend
    again = open_map()
    assert "Roads" not in again.locator(".br-panel").inner_text()
    assert again.locator("#br-show-zones").count() == 0


def test_hostile_names_stay_text_in_lists_and_cards(open_map, scene, tmp_path):
    table = {"name": [HOSTILE], "name_fa": [""], "country": ["IRN"], "population": [10**6]}
    place = gpd.GeoDataFrame(table, geometry=[shapely.Point(60.5, 31.1)], crs=4326)
    write_map(replace(scene, settlements=place), tmp_path / "map.html")
    page = open_map(path=tmp_path / "map.html")
    page.evaluate("BR.app.sums.view()")
    page.wait_for_selector(".br-sums")
    page.evaluate("BR.app.listOpen = true; BR.app.buildInterface()")
    assert "<script>" in page.locator(".br-top").inner_text()
    assert "<script>" in page.locator(".br-sums").inner_text()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0


def test_an_index_is_not_added_up(open_map, scene, tmp_path):
    cells = scene.cells[["exposure", "risk", "risk_class", "rank", "slope_mean"]]
    marks = np.where(np.isfinite(cells["risk"]), 1, -1).astype(np.int8)
    flags = {"flag_values": [0, 1], "flag_meanings": "ok index"}
    index = replace(scene, cells=cells.assign(trust=(("y", "x"), marks, flags)))
    assert index.is_index
    write_map(index, tmp_path / "map.html")
    page = open_map("#cell=r010c020", path=tmp_path / "map.html")
    page.wait_for_selector(".leaflet-popup .br-id")
    assert page.locator("[data-tool=sum], [data-tool=draw]").count() == 0
    assert page.locator("[data-tool=measure]").count() == 1
    page.evaluate("BR.app.groups.segments.getLayers().at(-1).openPopup()")
    page.wait_for_selector(".leaflet-popup th")
    assert page.locator("[data-act=section]").count() == 0
