"""Colours that maps, figures, report and GIS styles share.

Lightness falls steadily from class 1 to class 5, so that the order survives colour blindness and
a black-and-white print. The class colours are matplotlib's ``inferno_r`` at 0.02, 0.2, 0.4, 0.6
and 0.82.
"""

from __future__ import annotations

RISK_COLOURS = ("#f5f992", "#fca50a", "#dd513a", "#932667", "#390963")
RISK_LABELS = ("lowest half", "next quarter", "next 15 %", "next 7 %", "top 3 %")

BORDER_COLOUR = "#1b1b1b"
INCIDENT_COLOUR = "#0b6e8f"
MODEL_COLOUR = "#932667"


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue (0-255) of a ``#rrggbb`` colour.

    Examples
    --------
    >>> rgb("#fca50a")
    (252, 165, 10)
    """
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
