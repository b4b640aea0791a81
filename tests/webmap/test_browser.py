"""The map as a reader meets it, in a real browser."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from borderrisk.outputs.palette import DARK_RAMPS, RISK_COLOURS
from borderrisk.outputs.scene import SceneMeta
from borderrisk.outputs.webmap import write_map

pytestmark = pytest.mark.browser
BARE = "hide=top,places,incidents,borders,area,hatch,segments,odd-layer,relief"
INFERNO = list(RISK_COLOURS)


def until(page, expression, argument=None):
    """Wait for a condition. Playwright's own wait needs eval, which the page's policy refuses."""
    for _ in range(100):
        if page.evaluate(expression, argument):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came true: {expression}")


def pixels(page):
    """The page as it looks, rows x columns x 3 bytes."""
    shot = imread(io.BytesIO(page.screenshot()), format="png")
    return np.rint(shot[..., :3] * 255).astype(int)


def colour(image, x, y):
    return "#" + "".join(f"{c:02x}" for c in image[int(y), int(x)])


def cell_id(row, col):
    return f"r{row:03d}c{col:03d}"


def spot(page, row, col):
    """Where the middle of a cell is on the page, pixels."""
    script = """id => {
      const box = BR.app.map.getContainer().getBoundingClientRect();
      const middle = L.latLngBounds(BR.cellOutline(BR.app, BR.app.cells.find(id))).getCenter();
      const at = BR.app.map.latLngToContainerPoint(middle);
      return [box.left + at.x, box.top + at.y];
    }"""
    return page.evaluate(script, cell_id(row, col))


def cells_of_class(scene, k, count=3):
    """Some cells of a risk class, away from the legend and the tools."""
    rows, cols = np.nonzero(scene.cells["risk_class"].to_numpy() == k)
    near = (cols < 24) & (rows < 16)
    return list(zip(rows[near], cols[near], strict=True))[:: max(1, near.sum() // count)][:count]


def value(scene, name, row, col):
    return float(scene.cells[name].to_numpy()[row, col])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_cells_have_exactly_the_legends_colours(open_map, scene, theme):
    page = open_map(f"#{BARE}", color_scheme=theme)
    image = pixels(page)
    ramp = INFERNO if theme == "light" else list(DARK_RAMPS["inferno"])
    for k in range(1, 6):
        box = page.locator(f".br-legend .br-swatch[data-class='{k}']").bounding_box()
        swatch = colour(image, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert swatch == ramp[k - 1]
        for row, col in cells_of_class(scene, k):
            assert colour(image, *spot(page, row, col)) == swatch, (k, row, col)


def test_cells_that_are_not_to_be_relied_on_are_hatched(open_map, scene):
    page = open_map(f"#{BARE.replace('hatch,', '')}")
    x, y = (int(v) for v in spot(page, 5, 27))
    assert value(scene, "trust", 5, 27) == 1
    patch = {colour(pixels(page), x + dx, y) for dx in range(8)}
    assert patch & {"#ffffff", "#47525d"}
    assert len(patch) == 2
    assert "Hatched" in page.locator(".br-legend").inner_text()


def test_the_popup_of_a_cell_shows_the_scenes_numbers(open_map, scene):
    page = open_map(f"#{BARE}")
    row, col = 10, 20
    page.mouse.click(*spot(page, row, col))
    popup = page.locator(".leaflet-popup-content")
    popup.wait_for()
    popup.locator(".br-numbers > summary").click()

    def text(name):
        return popup.locator(f"[data-br='{name}']").inner_text()

    assert popup.locator(".br-id").inner_text() == cell_id(row, col)
    shown = float(text("probability").rstrip("%")) / 100
    assert shown == pytest.approx(value(scene, "probability", row, col), rel=0.005)
    low, high = (float(n) / 100 for n in re.findall(r"([\d.]+)%", text("interval"))[1:])
    assert low == pytest.approx(value(scene, "probability_low", row, col), rel=0.005)
    assert high == pytest.approx(value(scene, "probability_high", row, col), rel=0.005)
    scored = int(np.isfinite(scene.cells["risk"]).sum())
    assert text("rank") == f"rank {value(scene, 'rank', row, col):.0f} of {scored}"
    assert float(text("risk")) == pytest.approx(value(scene, "risk", row, col), rel=0.005)
    assert "class 5 of 5" in popup.inner_text()
    assert text("trust") == "ok"
    drivers = popup.locator("[data-br='driver']").all_inner_texts()
    assert [re.search(r"[+−][\d.]+$", line.strip())[0] for line in drivers] == [
        "+1.42",
        "−0.61",
        "+0.20",
    ]
    assert f"{value(scene, 'border_distance_km', row, col):.0f}" in drivers[0]
    assert "km" in drivers[0]
    incidents = popup.locator("[data-br='incident']").all_inner_texts()
    assert len(incidents) == 1
    assert "2015-03-01" in incidents[0]


def test_search_finds_places_and_cells_in_both_scripts(open_map):
    page = open_map()
    box = page.locator("#br-search")

    def centre_after(text):
        box.fill(text)
        box.press("Enter")
        return page.evaluate("[BR.app.map.getCenter().lng, BR.app.map.getCenter().lat]")

    assert centre_after("birjand") == pytest.approx([59.2, 31.6], abs=0.02)
    assert centre_after("تايباد") == pytest.approx([60.6, 31.3], abs=0.02)
    centre_after("R۰۱۰c020")
    page.wait_for_selector(".leaflet-popup .br-id")
    assert page.locator(".leaflet-popup .br-id").inner_text() == "r010c020"
    centre_after("nowhere at all")
    assert "nowhere at all" in page.locator(".br-search [role=status]").inner_text()


def test_the_threshold_hides_what_lies_below(open_map, scene):
    page = open_map(f"#{BARE}")
    page.locator("#br-threshold").fill("800")
    until(page, "BR.app.state.min > 79 && location.hash.includes('min=')")
    image = pixels(page)
    for k, shown in ((1, False), (2, False), (4, True), (5, True)):
        for row, col in cells_of_class(scene, k):
            assert (colour(image, *spot(page, row, col)) == INFERNO[k - 1]) is shown
    assert page.locator("#br-threshold ~ output").inner_text().startswith("80")


def test_the_opacity_fades_map_and_legend_alike(open_map, scene):
    page = open_map(f"#{BARE}")
    page.locator("#br-opacity").fill("50")
    page.wait_for_timeout(300)
    image = pixels(page)
    box = page.locator(".br-swatch[data-class='2']").bounding_box()
    swatch = image[int(box["y"] + 7), int(box["x"] + 12)]
    x, y = spot(page, *cells_of_class(scene, 2)[0])
    assert np.abs(image[int(y), int(x)] - swatch).max() <= 2
    assert colour(image, x, y) != INFERNO[1]


def test_the_interface_switches_to_persian_and_back(open_map):
    page = open_map("#cell=r010c020")
    assert page.locator("h1").inner_text() == "Test border"
    page.locator("[data-tool=language]").click()
    until(page, "document.documentElement.dir === 'rtl'")
    assert page.locator("h1").inner_text() == "مرز آزمایشی"
    assert page.locator("html").get_attribute("lang") == "fa"
    until(page, "document.querySelector('.leaflet-popup .br-pop').dir === 'rtl'")
    assert re.search("رتبه [۰-۹]+ از [۰-۹]+", page.locator(".leaflet-popup").inner_text())
    assert "تایباد" in page.locator(".br-place").all_inner_texts()
    panel, container = (page.locator(s).bounding_box() for s in (".br-panel", ".folium-map"))
    assert panel["x"] == container["x"] + container["width"]
    page.locator("[data-tool=language]").click()
    until(page, "document.documentElement.dir === 'ltr'")
    assert page.locator("h1").inner_text() == "Test border"


def test_a_link_brings_the_same_view_back(open_map):
    page = open_map()
    page.locator("#br-layer").select_option("width")
    page.locator("#br-opacity").fill("60")
    page.locator("#br-show-top").uncheck()
    page.locator("[data-tool=language]").click()
    page.locator("[data-tool=theme]").click()
    page.evaluate("BR.app.map.setView([31.2, 60.4], 8.5, {animate: false})")
    page.evaluate("BR.app.select(BR.app.cells.find('r010c021'))")
    until(page, "location.hash.includes('r010c021')")
    state = "({...BR.app.state, view: null, zoom: BR.app.map.getZoom()})"
    first, link = page.evaluate(state), page.evaluate("location.hash")
    again = open_map(link)
    assert again.evaluate(state) == first
    assert first["zoom"] == 8.5
    assert again.locator("#br-layer").input_value() == "width"
    assert again.locator(".leaflet-popup .br-id").inner_text() == "r010c021"


def test_text_from_data_stays_text(open_map):
    page = open_map()
    for language in ("en", "fa"):
        page.evaluate("lang => BR.app.update({lang})", language)
        for k in range(4):
            page.evaluate("k => BR.app.incidents[k].marks[1].fire('click')", k)
            until(page, "document.querySelectorAll('.leaflet-popup .br-pop').length === 1")
            if k == 1:
                assert "<img src=x onerror" in page.locator(".leaflet-popup").inner_text()
        page.evaluate("BR.app.groups['odd-layer'].getLayers()[0].openPopup()")
        until(page, "document.querySelectorAll('.leaflet-popup .br-pop').length === 1")
        assert "O'Hara" in page.locator(".leaflet-popup").inner_text()
    page.locator("#br-search").fill("<script>")
    page.wait_for_timeout(200)
    assert page.locator(".br-results").inner_text().startswith("<script>")
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0


def test_the_policy_stops_requests_a_script_would_make(chromium, map_file):
    page = chromium.new_page()
    page.goto(map_file.as_uri())
    script = """async () => {
      const seen = [];
      document.addEventListener('securitypolicyviolation', (e) => seen.push(e.effectiveDirective));
      await fetch('https://example.org/').catch(() => {});
      new Image().src = 'https://example.org/a.png';
      document.body.append(Object.assign(document.createElement('script'), {text: 'hacked = 1'}));
      await new Promise((done) => setTimeout(done, 200));
      return seen;
    }"""
    assert set(page.evaluate(script)) == {"connect-src", "img-src", "script-src-elem"}
    assert page.evaluate("window.hacked") is None
    page.close()


def test_the_time_window_filters_incidents(open_map):
    page = open_map()
    drawn = """BR.app.incidents.filter((item) => BR.app.map.hasLayer(item.marks[0]))
      .map((item) => item.incident.incident_id)"""
    assert page.evaluate(drawn) == ["A-1", "A-2", "A-3", "A-4"]
    page.evaluate("BR.app.update({from: '2018-01-01', to: '2022-06-30'})")
    assert page.evaluate(drawn) == ["A-2", "A-3"]
    assert "2 of 4" in page.locator(".br-panel").inner_text()
    page.locator("#br-show-incidents").uncheck()
    assert page.evaluate(drawn) == []


def test_kinds_of_incident_are_switched_on_their_own(open_map):
    page = open_map()
    drawn = """BR.app.incidents.filter((item) => BR.app.map.hasLayer(item.marks[0]))
      .map((item) => item.incident.kind)"""
    page.locator("[data-kind=ambush]").uncheck()
    until(page, "location.hash.includes('kind-ambush')")
    assert page.evaluate(drawn) == ["bombing", "armed_clash"]
    assert page.evaluate("document.activeElement.dataset.kind") == "ambush"
    assert "2 of 4" in page.locator(".br-panel").inner_text()
    again = open_map(page.evaluate("location.hash"))
    assert again.evaluate(drawn) == ["bombing", "armed_clash"]
    again.locator("[data-kind=ambush]").check()
    assert len(again.evaluate(drawn)) == 4


def test_the_map_can_be_read_from_the_keyboard(open_map):
    page = open_map()
    page.evaluate("BR.app.map.setView([31, 60.2], 9, {animate: false})")
    page.locator(".folium-map").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".leaflet-popup .br-id")
    page.keyboard.press("Escape")
    page.wait_for_selector(".leaflet-popup", state="detached")
    named = """[...document.querySelectorAll('button, input, select')].every(
      (e) => e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length)"""
    assert page.evaluate(named)
    page.locator("#br-search").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_measuring_adds_up_great_circle_distances(open_map):
    page = open_map(f"#{BARE}")
    page.locator("[data-tool=measure]").click()
    page.mouse.click(*spot(page, 10, 12))
    page.mouse.click(*spot(page, 10, 17))
    assert float(page.locator(".br-measure").inner_text().split()[0]) == pytest.approx(50, rel=0.02)
    assert page.locator(".leaflet-popup").count() == 0
    page.keyboard.press("Escape")
    page.wait_for_selector(".br-measure", state="detached")


def test_every_layer_can_be_chosen(open_map):
    page = open_map()
    layers = page.locator("#br-layer option").evaluate_all("all => all.map((o) => o.value)")
    assert layers[0] == "risk"
    assert {"width", "trust", "share_history", "slope_mean"} <= set(layers)
    for name in layers:
        page.locator("#br-layer").select_option(name)
        until(page, "name => Boolean(BR.app.cells.loaded[name])", name)
        assert page.locator(".br-legend tbody tr").count() >= 1
        page.mouse.move(*spot(page, 10, 18))


def test_it_works_at_the_width_of_a_phone(open_map):
    page = open_map(size=(390, 800), has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not page.locator(".br-panel").is_visible()
    assert page.locator(".br-legend").bounding_box()["height"] < 300
    page.locator("[data-tool=panel]").click()
    assert page.locator("#br-search").is_visible()
    assert page.locator(".br-panel").bounding_box()["width"] == 390


def test_paper_shows_map_legend_and_heading_in_light_colours(open_map):
    page = open_map(color_scheme="dark")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    until(page, "document.documentElement.dataset.theme === 'light'")
    assert page.locator("h1").is_visible()
    assert page.locator(".br-legend").is_visible()
    assert not page.locator(".br-tools").is_visible()
    assert not page.locator("#br-search").is_visible()
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    until(page, "document.documentElement.dataset.theme === 'dark'")


def test_paper_has_cells_lines_and_the_view_of_the_screen(open_map, scene):
    """Cells are there at once, lines as pictures: Chromium prints a cleared canvas as white."""
    page = open_map(f"#{BARE.replace('borders,', '')}", color_scheme="dark")
    view = "[BR.app.map.getCenter().lat, BR.app.map.getCenter().lng, BR.app.map.getZoom()]"
    before = page.evaluate(view)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    hidden = """[...document.querySelectorAll('.leaflet-overlay-pane canvas, canvas.br-mini')]
      .map((canvas) => getComputedStyle(canvas).display)"""
    assert set(page.evaluate(hidden)) == {"none"}
    image = pixels(page)
    for k in (1, 3, 5):
        row, col = cells_of_class(scene, k)[0]
        assert colour(image, *spot(page, row, col)) == INFERNO[k - 1]
    x, y = page.evaluate("""() => {
      const point = BR.app.map.latLngToContainerPoint([30.8, 61.35]);
      return [Math.round(point.x), Math.round(point.y)];
    }""")
    assert image[y - 3 : y + 4, x - 3 : x + 4].min() < 60
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(view) == pytest.approx(before)
    assert page.locator(".br-still").count() == 0


def test_the_legend_explains_lines_and_kinds_of_incident(open_map):
    page = open_map()
    legend = page.locator(".br-legend")
    part = legend.locator("[data-layer=segments]")
    assert "fewest a km" in part.inner_text()
    assert "most a km" in part.inner_text()
    strips = part.locator(".br-line").evaluate_all(
        "all => all.map((piece) => piece.style.getPropertyValue('--swatch'))"
    )
    assert strips == INFERNO
    kinds = page.evaluate("BR.app.config.kinds.map(({colour, ring}) => colour + ring)")
    assert len(set(kinds)) == len(kinds) == 3
    page.locator("#br-show-segments").uncheck()
    until(page, "!document.querySelector('.br-legend [data-layer=segments]')")


def test_popups_of_lines_speak_in_names(open_map):
    page = open_map()
    page.evaluate("BR.app.groups.segments.eachLayer((line) => line.getPopup() && line.openPopup())")
    popup = page.locator(".leaflet-popup-content")
    assert "Iran – Afghanistan" in popup.inner_text()
    page.locator("[data-tool=language]").click()
    page.evaluate("BR.app.groups.segments.eachLayer((line) => line.getPopup() && line.openPopup())")
    assert "ایران – افغانستان" in popup.inner_text()


def test_a_popup_keeps_clear_of_the_legend(open_map, scene):
    page = open_map()
    cells = [cells_of_class(scene, k)[0] for k in (1, 3, 5)]
    for language in ("en", "fa"):
        page.evaluate("lang => BR.app.update({lang})", language)
        for cell in cells:
            page.evaluate(
                "id => BR.app.select(BR.app.cells.find(id), {move: true})", cell_id(*cell)
            )
            page.wait_for_timeout(400)
            legend = page.locator(".br-legend").bounding_box()
            popup = page.locator(".leaflet-popup-content-wrapper").bounding_box()
            right = popup["x"] >= legend["x"] + legend["width"]
            left = popup["x"] + popup["width"] <= legend["x"]
            assert right or left, (language, cell)
    page.evaluate("BR.app.incidents[0].marks[1].fire('click')")
    page.wait_for_timeout(400)
    popup = page.locator(".leaflet-popup-content-wrapper").bounding_box()
    assert popup["x"] >= legend["x"] + legend["width"]


def test_names_of_countries_stand_in_view_and_clear_of_the_legend(open_map):
    page = open_map("#hide=incidents")
    named = page.locator(".br-country").all_inner_texts()
    assert set(named) <= {"Iran", "Afghanistan"}
    assert "Afghanistan" in named
    legend = page.locator(".br-legend").bounding_box()
    for label in page.locator(".br-country span").all():
        box = label.bounding_box()
        assert box["x"] + box["width"] <= legend["x"] or box["y"] + box["height"] <= legend["y"]


def test_a_run_without_intervals_says_so(open_map, scene, tmp_path):
    cells = scene.cells.drop_vars(["probability_low", "probability_high"])
    write_map(replace(scene, cells=cells), tmp_path / "map.html")
    page = open_map("#cell=r010c020", path=tmp_path / "map.html")
    page.wait_for_selector(".leaflet-popup .br-id")
    assert "No interval was computed" in page.locator("[data-br='no-interval']").text_content()
    assert "No interval was computed" in page.locator(".br-skill").inner_text()
    assert page.locator(".br-bar").count() == 0
    assert page.locator("#br-layer option[value=width]").count() == 0


def test_scale_minimap_coordinates_and_full_screen(open_map):
    page = open_map(f"#{BARE}")
    assert re.fullmatch(r"\d+ km", page.locator(".leaflet-control-scale-line").inner_text())
    page.mouse.move(*spot(page, 10, 20))
    lat, lon, rest = re.match(
        r"([\d.]+), ([\d.]+) · .+?N .+?E · (.*)", page.locator(".br-coordinates").inner_text()
    ).groups()
    middle = page.evaluate("""() => {
      const outline = BR.cellOutline(BR.app, BR.app.cells.find('r010c020'));
      return [L.latLngBounds(outline).getCenter().lat, L.latLngBounds(outline).getCenter().lng];
    }""")
    assert [float(lat), float(lon)] == pytest.approx(middle, abs=0.02)
    assert rest.startswith("r010c020 · ")
    page.evaluate("BR.app.map.setView([31, 60], 9, {animate: false})")
    box = page.locator(".br-mini").bounding_box()
    page.mouse.click(box["x"] + 20, box["y"] + 64)
    until(page, "BR.app.map.getCenter().lng < 59.5")
    page.locator("[data-tool=full]").click()
    until(page, "document.fullscreenElement !== null")


def test_the_keyboard_reaches_every_control_in_order(open_map):
    page = open_map(f"#{BARE}")
    page.locator("#br-search").focus()
    seen = []
    for _ in range(80):
        page.keyboard.press("Tab")
        name = page.evaluate("""(() => {
          const e = document.activeElement;
          const seen = getComputedStyle(e).outlineStyle !== 'none' || e === document.body;
          return seen ? e.id || e.dataset.tool || e.tagName : `unseen ${e.outerHTML.slice(0, 60)}`;
        })()""")
        if name == "BODY":
            break
        seen.append(name)
    assert [name for name in seen if name.startswith("unseen")] == []
    wanted = ["br-layer", "br-opacity", "br-threshold", "br-from", "br-to", "panel", "measure"]
    assert [name for name in seen if name in wanted] == wanted


def test_the_panel_carries_scorecard_vintage_and_licences(open_map):
    page = open_map()
    capture = page.locator("[data-br=capture]").inner_text()
    assert "78%" in capture
    assert "70%" in capture
    assert "history alone" in capture
    gain = page.locator("[data-br=gain]").inner_text()
    assert "+0.31 bits" in gain
    assert "+0.08 to +0.55" in gain
    assert "better than the baseline" in gain
    text = page.locator(".br-panel").text_content()
    for part in ("2024-01-01-abc", "CC BY 4.0", "by them", "2024-05-05", "365 days"):
        assert part in text


def test_a_focus_map_opens_on_its_window(open_map, scene, tmp_path):
    write_map(scene, tmp_path / "east.html", focus="east", language="fa")
    page = open_map(path=tmp_path / "east.html")
    assert page.locator("h1").inner_text() == "سمت شرق"
    west, south, east, north = scene.focuses[0].bounds
    corners = [[south, west], [north, east]]
    assert page.evaluate("corners => BR.app.map.getBounds().contains(corners)", corners)
    page.evaluate("BR.app.select(BR.app.cells.find('r010c020'))")
    page.wait_for_selector(".leaflet-popup .br-id")
    assert "٪" in page.locator("[data-br=probability]").text_content()


def test_a_bare_scene_opens(open_map, scene, tmp_path):
    bare = type(scene)(
        **{
            **vars(scene),
            "cells": scene.cells[["risk"]],
            "borders": scene.borders.iloc[:0],
            "settlements": scene.settlements.iloc[:0],
            "incidents": scene.incidents.iloc[:0],
            "relief": None,
            "focuses": (),
            "meta": SceneMeta(),
            "layers": {},
        }
    )
    write_map(bare, tmp_path / "bare.html")
    page = open_map("#cell=r010c020", path=tmp_path / "bare.html")
    assert "not evaluated" in page.locator(".br-skill").inner_text()
    assert "rank about" in page.locator("[data-br=rank]").inner_text()


def test_a_comparison_shows_what_rose_and_fell(open_map, compared, tmp_path):
    write_map(compared, tmp_path / "change.html")
    page = open_map(f"#{BARE}", path=tmp_path / "change.html")
    assert page.locator("#br-layer").input_value() == "risk_change"
    image = pixels(page)
    west, east = (colour(image, *spot(page, 8, col)) for col in (5, 23))
    assert west == page.evaluate("BR.app.metric().colours[1]")
    assert east == page.evaluate("BR.app.metric().colours[5]")
    page.mouse.click(*spot(page, 8, 5))
    page.wait_for_selector(".leaflet-popup [data-br=change]")
    assert page.locator("[data-br=change]").inner_text() == "fell"
    assert page.locator("[data-br=risk_change]").inner_text() == "−9.50"
    page.locator("#br-layer").select_option("slack_kerman")
    until(page, "document.querySelector('.br-legend').innerText.includes('Slack of the way')")


def test_online_tiles_are_asked_of_their_host_only(chromium, scene, tmp_path):
    write_map(scene, tmp_path / "tiles.html", tiles="https://tiles.example.org/{z}/{x}/{y}.png")
    page, asked = chromium.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.route("https://**/*", lambda route: route.fulfill(status=404))
    page.goto((tmp_path / "tiles.html").as_uri())
    page.wait_for_selector("html[data-warm]", state="attached")
    page.wait_for_timeout(300)
    online = [url for url in asked if url.startswith("http")]
    assert online
    assert all(url.startswith("https://tiles.example.org/") for url in online)
    assert page.locator("#br-show-baseMap").is_checked()
    page.close()
