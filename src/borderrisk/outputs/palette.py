"""Colours that maps, figures, report and GIS styles share.

Lightness falls steadily from class 1 to class 5, so that the order survives colour blindness and
a black-and-white print. The class colours are matplotlib's ``inferno_r`` at 0.02, 0.2, 0.4, 0.6
and 0.82; other ramps have five steps of ``cividis``, ``viridis`` and ``YlGnBu``, seven of
``PRGn``, written out so that a map needs no plotting library and never changes with one.
"""

from __future__ import annotations

RISK_COLOURS = ("#f5f992", "#fca50a", "#dd513a", "#932667", "#390963")
RISK_LABELS = ("lowest half", "next quarter", "next 15 %", "next 7 %", "top 3 %")

BORDER_COLOUR = "#1b1b1b"
INCIDENT_COLOUR = "#0b6e8f"
MODEL_COLOUR = "#932667"

RAMPS: dict[str, tuple[str, ...]] = {
    "inferno": RISK_COLOURS,
    "cividis": ("#fce236", "#bbad6d", "#7c7b78", "#424e6c", "#002656"),
    "viridis": ("#f1e51d", "#5cc863", "#21908d", "#3b518b", "#46085c"),
    "teal": ("#f8fcca", "#b7e3b6", "#40b5c4", "#216aad", "#0d2161"),
    "diverging": ("#10632b", "#5aae61", "#c5e8bf", "#f7f6f7", "#d8c2de", "#9970ab", "#60196c"),
    "change": ("#d5d7da", "#7b3294", "#1b7837"),
    "trust": ("#5b8fb0", "#dcc27e", "#c9cdd1", "#8c7b6b"),
}

# The same hues in the same order for a dark ground, where what stands out is light and not dark:
# the Oklab lightness of each ramp turned round (0.36 to 0.9), as much chroma as a screen can show.
DARK_RAMPS: dict[str, tuple[str, ...]] = {
    "inferno": ("#404000", "#865602", "#e1543d", "#fa85c3", "#e4d6ff"),
    "cividis": ("#463d01", "#6f6221", "#8a8986", "#a4b2d5", "#cae0ff"),
    "viridis": ("#433f00", "#01771c", "#319b98", "#96b1f3", "#f0d1ff"),
    "teal": ("#3f4100", "#3f6f40", "#179aa9", "#73b8ff", "#cfdeff"),
}

# Okabe & Ito 2008, without the yellow and the reds that drown in the risk ramp.
KINDS = ("#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#8a6d00", "#4d4d4d")
OTHER_KIND = "#8c8c8c"


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue (0-255) of a ``#rrggbb`` colour."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def ramp(name: str, classes: int, *, dark: bool = False) -> list[str]:
    """Colours for ``classes`` classes, low to high, spread over a ramp, for a light or dark ground.

    What is high stands out from the ground, and has the same hue on both.
    """
    colours = DARK_RAMPS.get(name, RAMPS[name]) if dark else RAMPS[name]
    if classes == 1:
        return [colours[len(colours) // 2]]
    last = len(colours) - 1
    return [colours[round(i * last / (classes - 1))] for i in range(classes)]
