"""Colours of the map: monotone in lightness, told apart by colour-blind readers.

Five steps of matplotlib's ``inferno``, ``cividis``, ``viridis`` and ``YlGnBu``, seven of ``PRGn``,
written out so that a map needs no plotting library and never changes with one. Risk has the
colours it has in figures and GIS styles.
"""

from __future__ import annotations

from borderrisk.outputs.palette import RISK_COLOURS

RAMPS: dict[str, tuple[str, ...]] = {
    "inferno": RISK_COLOURS,
    "cividis": ("#fce236", "#bbad6d", "#7c7b78", "#424e6c", "#002656"),
    "viridis": ("#f1e51d", "#5cc863", "#21908d", "#3b518b", "#46085c"),
    "teal": ("#f8fcca", "#b7e3b6", "#40b5c4", "#216aad", "#0d2161"),
    "diverging": ("#10632b", "#5aae61", "#c5e8bf", "#f7f6f7", "#d8c2de", "#9970ab", "#60196c"),
    "change": ("#d5d7da", "#7b3294", "#1b7837"),
    "trust": ("#5b8fb0", "#dcc27e", "#c9cdd1", "#8c7b6b"),
}

# Okabe & Ito 2008, without the yellow and the reds that drown in the risk ramp.
KINDS = ("#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#8a6d00", "#4d4d4d")
OTHER_KIND = "#8c8c8c"


def ramp(name: str, classes: int) -> list[str]:
    """Colours for ``classes`` classes, light (low) to dark (high), spread over a ramp."""
    colours = RAMPS[name]
    if classes == 1:
        return [colours[len(colours) // 2]]
    last = len(colours) - 1
    return [colours[round(i * last / (classes - 1))] for i in range(classes)]
