"""The curve of watched border kilometres as figure and in the report."""

from dataclasses import replace

from borderrisk.border.ranking import BorderCapture
from borderrisk.outputs.figures import draw, write_figures
from borderrisk.outputs.report import write_report

CURVES = BorderCapture(
    1200.0, 3, 21.0, [0.0, 100.0, 400.0, 1200.0],
    {"decayed_pool": [0.0, 0.5, 0.8, 1.0], "history_alone": [0.0, 0.4, 0.7, 1.0],
     "length": [0.0, 0.0833, 0.3333, 1.0]},
    "decayed_pool", [0.0, 0.3, 0.7, 1.0], [0.0, 0.6, 0.9, 1.0],
)  # fmt: skip


def with_curves(make_scene):
    scene = make_scene()
    card = replace(scene.meta.scorecard, border_capture=CURVES)
    return replace(scene, meta=replace(scene.meta, scorecard=card))


def test_the_figure_shows_model_baselines_and_length(make_scene, tmp_path):
    figure = dict(draw(with_curves(make_scene)))["border-capture"]
    words = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert words == [
        "interval over origins", "decayed pool", "history alone (baseline)", "by length alone",
    ]  # fmt: skip
    lines = figure.axes[0].get_lines()
    assert list(lines[0].get_ydata()) == CURVES.captured["decayed_pool"]
    written = {p.name for p in write_figures(with_curves(make_scene), tmp_path, ("png", "svg"))}
    assert {"border-capture.png", "border-capture.svg"} <= written


def test_without_the_curve_there_is_no_figure(make_scene):
    assert "border-capture" not in dict(draw(make_scene()))


def test_the_report_says_what_watching_would_have_covered(make_scene, tmp_path):
    write_report(with_curves(make_scene), tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert (
        "Watching the 100 km of border ranked first (8% of it) would have covered 50% (30% to 60%) "
        "of the later incidents; 40% as history alone ranks them, 8% by length alone" in text
    )
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Later incidents behind the border ranked first." in page
