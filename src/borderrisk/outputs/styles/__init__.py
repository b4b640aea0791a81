"""QGIS layer styles in the colours of the maps."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template

from borderrisk.outputs.files import write_text
from borderrisk.outputs.palette import (
    BORDER_COLOUR,
    INCIDENT_COLOUR,
    RISK_COLOURS,
    RISK_LABELS,
    rgb,
)

STYLES = {
    "cells": "Risk class by share of the study area",
    "incidents": "Reported incidents",
    "border": "Border lines",
}


def qml(name: str) -> str:
    """Text of the QGIS style of a layer.

    Parameters
    ----------
    name : str
        A key of :data:`STYLES`.
    """
    text = (files(__package__) / f"{name}.qml").read_text(encoding="utf-8")
    colours = {f"risk_{k}": _qgis(colour) for k, colour in enumerate(RISK_COLOURS, start=1)}
    labels = {f"label_{k}": f"{k} ({label})" for k, label in enumerate(RISK_LABELS, start=1)}
    further = {"border": _qgis(BORDER_COLOUR), "incident": _qgis(INCIDENT_COLOUR)}
    return Template(text).substitute(colours | labels | further)


def write_qml(path: Path) -> Path:
    """Write the style of the cells as ``.qml``, to be loaded by hand in QGIS."""
    return write_text(qml("cells"), path)


def _qgis(colour: str) -> str:
    return ",".join(str(part) for part in (*rgb(colour), 255))
