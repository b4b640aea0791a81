"""The model card of a run: ``report.html``, one file that needs no network, and ``report.md``."""

from __future__ import annotations

from pathlib import Path

from borderrisk.outputs.files import write_text
from borderrisk.outputs.report.pictures import picture_sources
from borderrisk.outputs.report.render import render_html, render_markdown
from borderrisk.outputs.report.sections import build_sections
from borderrisk.outputs.scene import Scene


def write_report(scene: Scene, folder: Path) -> list[Path]:
    """Write the model card.

    It holds purpose and limits, data with sources and rejected rows, grid, features with their
    distributions, model, scorecard with baselines and intervals, calibration, spatial tests,
    robustness, trust, the highest-ranked cells and segments, responsible use, config and
    manifest. A part the scene has no numbers for says so in a sentence.

    Parameters
    ----------
    scene : Scene
        A finished scoring. Beside the facts every scene has, ``meta`` may hold ``scorecard``,
        ``effects``, ``model`` (dict), ``incident_counts`` (dict or list of dicts),
        ``rejected`` (list of dicts), ``notes`` (list of str), ``config_text`` (str) and
        ``manifest`` (dict).
    folder : Path
        Where the two files go. Figures of this scene in ``figures/`` there (see
        :func:`~borderrisk.outputs.figures.write_figures`) are taken as they are: ``report.html``
        holds them, ``report.md`` links them. ``report.html`` draws those it lacks.

    Returns
    -------
    list of Path
        ``report.html`` and ``report.md``.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    folder = Path(folder)
    sections = build_sections(scene)
    html = render_html(scene, sections, picture_sources(scene, folder / "figures"))
    markdown = render_markdown(scene, sections, folder / "figures")
    return [
        write_text(html, folder / "report.html"),
        write_text(markdown, folder / "report.md"),
    ]
