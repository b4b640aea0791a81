import warnings
from dataclasses import replace

import numpy as np
import pytest
import shapely
from matplotlib.collections import EllipseCollection
from matplotlib.colors import rgb_to_hsv, to_rgb

from borderrisk.errors import ConfigError, OutputError
from borderrisk.outputs.figures import draw, write_figures
from borderrisk.outputs.figures.backdrop import Pixels, hillshade, paint
from borderrisk.outputs.figures.charts import model_styles
from borderrisk.outputs.figures.furniture import nice_length
from borderrisk.outputs.figures.maps import risk_figure
from borderrisk.outputs.figures.style import render
from borderrisk.outputs.palette import MODEL_COLOUR, RISK_COLOURS

EFFECTS = {
    "slope_mean": {"values": [0, 5, 9], "effect": [-1, 0, 1], "low": [-2, 0, 0], "high": [0, 1, 2]},
    "unknown_feature": {"values": [0, 1], "effect": [0.1, 0.2]},
}  # fmt: skip


@pytest.fixture(scope="module")
def scene(make_scene):
    scene = make_scene()
    return replace(scene, meta=scene.meta | {"partial_dependence": EFFECTS})


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
        meta={},
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
    shade = hillshade(scene.relief, pixels)
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


@pytest.mark.parametrize(("own", "stands_out"), [("gam", "gam"), (None, "pooled")])
def test_the_model_of_the_config_stands_out(scene, own, stands_out):
    card = {**scene.meta["scorecard"], "model": own}
    styles = model_styles(
        replace(scene, meta={"scorecard": card}), ["kde", "pooled", "gam", "history"]
    )
    assert next(iter(styles)) == stands_out
    assert [n for n, s in styles.items() if s["color"] == MODEL_COLOUR] == [stands_out]
    assert len({s["color"] for s in styles.values()}) == 4
    assert styles["kde"]["ls"] == "--"


def test_nothing_in_the_side_panel_lies_on_anything_else(scene):
    long = [{"attribution": f"{k}: an institute with a rather long name"} for k in range(40)]
    for sources in (scene.meta["sources"], long[:9], long):
        crowded = replace(scene, meta=scene.meta | {"sources": sources})
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
