"""QGIS layer styles in the colours of the maps."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np

from borderrisk.model.scores import CLASS_EDGES
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
    "segments": "Border segments by rank",
}
# Which styles are for rasters; the risk is the third band of ``risk.tif``.
RASTER = "risk"


def qml(name: str) -> str:
    """Text of the QGIS style of a layer.

    Parameters
    ----------
    name : str
        A key of :data:`STYLES`, or :data:`RASTER`.
    """
    text = (files(__package__) / f"{name}.qml").read_text(encoding="utf-8")
    colours = {f"risk_{k}": _qgis(colour) for k, colour in enumerate(RISK_COLOURS, start=1)}
    colours |= {f"hex_{k}": colour for k, colour in enumerate(RISK_COLOURS, start=1)}
    labels = {f"label_{k}": f"{k} ({label})" for k, label in enumerate(RISK_LABELS, start=1)}
    labels |= {f"share_{k}": label for k, label in enumerate(RISK_LABELS, start=1)}
    # QGIS counts the upper end to a class, scores the lower one: take the number just below it.
    edges = {f"edge_{k}": str(_below(edge)) for k, edge in enumerate(CLASS_EDGES, start=1)}
    further = {"border": _qgis(BORDER_COLOUR), "incident": _qgis(INCIDENT_COLOUR)}
    return Template(text).substitute(colours | labels | edges | further)


def write_qml(path: Path) -> Path:
    """Write the style of the layer a file is named after: ``risk.qml``, ``cells.qml``, ...

    QGIS applies ``risk.qml`` by itself to a ``risk.tif`` beside it, and so on.
    """
    return write_text(qml(Path(path).stem), path)


def _below(edge: float) -> np.float32:
    return np.nextafter(np.float32(edge), np.float32(0))


def _qgis(colour: str) -> str:
    return ",".join(str(part) for part in (*rgb(colour), 255))
