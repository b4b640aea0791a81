import warnings
from dataclasses import replace

import numpy as np
import pytest
import shapely
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.colors import rgb_to_hsv, to_rgb

from borderrisk.border.ranking import BorderCapture
from borderrisk.errors import ConfigError, OutputError
from borderrisk.evaluation.scorecard import ChanceClass
from borderrisk.outputs.figures import draw, risk_figure, write_figures
from borderrisk.outputs.figures.backdrop import Pixels, brightness, paint
from borderrisk.outputs.figures.charts import (
    border_capture_figure,
    capture_figure,
    measured,
    model_styles,
    reliability_figure,
    skill_figure,
)
from borderrisk.outputs.figures.frame import nice_length
from borderrisk.outputs.figures.style import render
from borderrisk.outputs.palette import MODEL_COLOUR, RISK_COLOURS
from borderrisk.outputs.scene import SceneMeta, Source

EFFECTS = {
    "slope_mean": {"values": [0, 5, 9], "effect": [-1, 0, 1]},
    "unknown_feature": {"values": [0, 1], "effect": [0.1, 0.2]},
}  # fmt: skip


@pytest.fixture(scope="module")
def scene(make_scene):
    scene = make_scene()
    return replace(scene, meta=replace(scene.meta, effects=EFFECTS))


def test_every_figure_is_written_without_a_missing_glyph(scene, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        written = write_figures(scene, tmp_path, ("png",))
    assert [path.stem for path in written] == [
        "risk", "risk-mashhad", "risk-sistan-baluchestan",
        "uncertainty", "uncertainty-mashhad", "uncertainty-sistan-baluchestan",
        "capture-curve", "reliability", "skill-per-origin", "driver-effects",
    ]  # fmt: skip


@pytest.mark.parametrize("format", ["png", "svg", "pdf"])
def test_the_same_scene_gives_the_same_bytes(scene, format):
    focus = scene.focuses[0]
    first, second = (render(risk_figure(scene, focus), format) for _ in range(2))
    assert first == second


def test_what_is_absent_is_left_out(scene):
    bare = replace(
        scene,
        cells=scene.cells.drop_vars(["probability_low", "trust"]),
        relief=None,
        incidents=scene.incidents.iloc[:0],
        settlements=scene.settlements.iloc[:0],
        focuses=(),
        meta=SceneMeta(),
    )
    assert [name for name, _ in draw(bare)] == ["risk"]


def test_a_map_without_intervals_says_so(scene):
    bare = replace(scene, cells=scene.cells.drop_vars(["probability_low", "probability_high"]))
    for version, said in ((bare, True), (scene, False)):
        (foot,) = risk_figure(version).axes[1].texts
        assert ("No interval was computed" in " ".join(foot.get_text().split())) is said


def test_pixels_have_the_hue_of_their_class(scene):
    grid, classes = scene.grid, scene.cells.risk_class.to_numpy()
    colours = np.array([(1, 1, 1), *map(to_rgb, RISK_COLOURS)])[classes]
    pixels = Pixels.of(scene, None)
    picture = paint(scene, pixels, colours, classes > 0)
    for wanted in range(1, 6):
        row, col = np.argwhere((classes == wanted) & (scene.cells.exposure.to_numpy() == 1))[0]
        j, i = ~pixels.transform @ (grid.x[col], grid.y[row])
        hue = rgb_to_hsv(picture[int(i), int(j)])
        np.testing.assert_allclose(
            hue[:2], rgb_to_hsv(to_rgb(RISK_COLOURS[wanted - 1]))[:2], atol=1e-6
        )


def test_a_slope_to_the_north_west_is_brighter(scene):
    pixels = Pixels.of(scene, None)
    shade = brightness(scene.relief, pixels)
    assert shade.shape == pixels.shape
    assert np.isfinite(shade).all()
    assert shade.std() > 0.05


def test_names_are_text_not_mathematics(scene):
    towns = scene.settlements.assign(name=["$x^2_{$", "<b>a</b>", "50 % $", "\\frac"])
    assert render(risk_figure(replace(scene, settlements=towns)), "svg")


@pytest.mark.parametrize(("longest", "nice"), [(99, 50), (100, 100), (0.7, 0.5), (2.1, 2)])
def test_scale_bar_lengths(longest, nice):
    assert nice_length(longest) == nice


def test_unknown_format_and_unwritable_folder(scene, tmp_path):
    with pytest.raises(ConfigError, match="bmp"):
        write_figures(scene, tmp_path, ("bmp",))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_figures(scene, tmp_path / "file", ("png",))


@pytest.fixture
def card(scene):
    return scene.meta.scorecard


def with_card(scene, card):
    return replace(scene, meta=replace(scene.meta, scorecard=card))


def test_the_model_of_the_config_stands_out(card):
    names = ["kde", "decayed_pool", "glm", "history_alone"]
    for own in ("glm", "decayed_pool"):
        styles = model_styles(replace(card, model=own), names)
        assert next(iter(styles)) == own
        assert [n for n, s in styles.items() if s["color"] == MODEL_COLOUR] == [own]
        assert len({s["color"] for s in styles.values()}) == 4
        assert styles["history_alone"]["ls"] == "--"


def test_a_model_has_one_colour_in_every_chart(card):
    everyone = model_styles(card, ["decayed_pool", "history_alone", "border_distance"])
    few = model_styles(card, ["history_alone"])
    assert few == {"history_alone": everyone["history_alone"]}


def test_charts_say_how_they_were_measured(scene, card):
    assert measured(card) == "14 incidents, 2 origins 2021–2023, 1 year ahead"
    assert measured(card, (1.0, 1)) == "1 incident, 1 origin 2021–2023, 1 year ahead"
    border = BorderCapture(100.0, 2, 9.0, [0, 100], {"decayed_pool": [0, 1], "length": [0, 1]},
                           "decayed_pool", [0, 1], [0, 1])  # fmt: skip
    scene = with_card(scene, replace(card, border_capture=border))
    for draw_one in (capture_figure, skill_figure, reliability_figure, border_capture_figure):
        said = " ".join(text.get_text() for text in draw_one(scene).texts)
        count = 9 if draw_one is border_capture_figure else 14
        assert f"{count} incidents, 2 origins 2021–2023, 1 year ahead" in said


def test_captures_have_a_panel_for_repeat_and_for_new_places(scene):
    titles = [ax.get_title() for ax in capture_figure(scene).axes]
    assert titles == [
        "all incidents (n = 14)", "at repeat places (n = 11)", "at new places (n = 3)",
    ]  # fmt: skip


def test_predictions_have_a_panel_for_each_ground(scene):
    figure = reliability_figure(scene)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[:3] == [
        "all ground", "repeat ground (25% of the area)", "new ground (75% of the area)",
    ]  # fmt: skip
    heights = [[bar.get_height() for bar in ax.patches] for ax in figure.axes[:3]]
    assert heights[0] == [0.5, 1, 1.5, 2, 2.5]
    assert np.add(heights[1], heights[2]) == pytest.approx(heights[0])


def test_origins_that_averages_leave_out_are_hollow(scene):
    figure = skill_figure(scene)
    said = " ".join(text.get_text() for text in figure.texts)
    assert "Hollow: fewer than 5 in all; averages leave these out." in said
    ax = figure.axes[0]
    hollow = [line for line in ax.lines if line.get_markerfacecolor() == "white"]
    assert [line.get_xdata().tolist() for line in hollow] == [[1], [1], [1]]
    (own,) = (line for line in ax.lines if line.get_label() == "decayed pool")
    assert np.isfinite(own.get_ydata()).tolist() == [True, False, True]
    assert [label.get_text() for label in figure.axes[2].get_xticklabels()] == [
        "2021\n(2)", "2022\n(1)", "2023\n(1)",
    ]  # fmt: skip


def test_what_happened_in_no_cell_is_marked_and_intervals_are_drawn(scene, card):
    rows = [ChanceClass("all", 0.0, 0.002, 0.0, 0.0, 0.03, 90),
            ChanceClass("all", 0.03, 0.05, 0.1, 0.02, 0.3, 20)]  # fmt: skip
    part = replace(card.prospective, reliability=rows)
    ax = reliability_figure(with_card(scene, replace(card, prospective=part))).axes[3]
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {"seen", "none seen"}
    (bars,) = (c for c in ax.collections if isinstance(c, LineCollection))
    assert [seg[:, 1].tolist() for seg in bars.get_segments()] == [pytest.approx([0.02, 0.3])]


def test_titles_lie_on_no_panel(scene):
    for draw_one in (capture_figure, skill_figure, reliability_figure):
        figure = draw_one(scene)
        figure.draw_without_rendering()
        lowest = min(text.get_window_extent().y0 for text in figure.texts if text.get_text())
        highest = max(ax.get_tightbbox().y1 for ax in figure.axes)
        assert lowest > highest - 1


def test_the_titles_of_a_map_never_lie_on_each_other(scene):
    meta = replace(scene.meta, title="A border", title_fa="مرز ایران با همسایگان خاوری")
    figure = risk_figure(replace(scene, meta=meta))
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.texts]
    assert len(boxes) == 3
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])


def test_nothing_in_the_side_panel_lies_on_anything_else(scene):
    long = [Source("", attribution=f"{k}: an institute with a rather long name") for k in range(40)]
    for sources in (scene.meta.sources, long[:9], long):
        crowded = replace(scene, meta=replace(scene.meta, sources=sources))
        for focus in (None, *scene.focuses):
            figure = risk_figure(crowded, focus)
            render(figure, "png", dpi=50)
            side = figure.axes[1]
            panels = [side.get_legend(), *side.texts, *side.child_axes]
            boxes = [panel.get_window_extent() for panel in panels]
            clash = [a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k]]
            assert not any(clash)


def test_only_incidents_that_reach_the_window_are_drawn(scene):
    focus = scene.focuses[0]
    figure = risk_figure(scene, focus)
    (circles,) = (c for c in figure.axes[0].collections if isinstance(c, EllipseCollection))
    points = scene.incidents.to_crs(scene.grid.crs).geometry
    window = shapely.box(*Pixels.of(scene, focus).bounds)
    reach = points.distance(window).to_numpy() <= 1000 * scene.incidents.radius_km.to_numpy()
    drawn = {tuple(xy) for xy in np.asarray(circles.get_offsets()).round(3)}
    wanted = zip(points.x[reach].round(3), points.y[reach].round(3), strict=True)
    assert set(wanted) <= drawn
    assert 0 < len(circles.get_offsets()) < len(scene.incidents)
