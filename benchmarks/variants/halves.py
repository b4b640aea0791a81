"""One half of a world forecast from the other: ground that nothing was learned on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.variants import worlds
from borderrisk.evaluation.folds import restrict
from borderrisk.evaluation.transfer import QUICK, REFERENCE
from borderrisk.model import combined, feature_choice
from borderrisk.model.cells import CellTable
from borderrisk.model.fitting import fit_spatial
from borderrisk.model.panel import Panel
from borderrisk.model.planted import expected_bits

STRENGTHS = {"features tell all": 0.0, "a hidden cause": 1.0, "a strong hidden cause": 2.0}
INCIDENTS = (26, 100)
# Ground between the halves that is in neither, km to each side.
_BETWEEN_KM = 15.0


@dataclass(frozen=True)
class Form:
    """The product's pooled model, with other parameters or other constants."""

    given: Mapping[str, Any] = field(default_factory=dict)
    constants: Sequence[tuple[Any, str, float]] = ()

    def intensity(self, seen: CellTable, past: Panel, origin: Any, there: CellTable) -> np.ndarray:
        """Fit on some cells and forecast others."""
        with ExitStack() as changed:
            for where, name, value in self.constants:
                changed.enter_context(patch.object(where, name, value))
            model = fit_spatial("pooled", {**QUICK["pooled"], **self.given}, seen, past, origin)
            return model.intensity(there)


def _held(most: float) -> Form:
    return Form(constants=[(combined, "MOST_APART", most)])


def _kept(share: float) -> Form:
    return Form(constants=[(feature_choice, "SHARE", share)])


FORMS = {
    "as shipped": Form(),
    "log-linear model not held": _held(np.inf),
    "held to twofold": _held(2.0),
    "held to tenfold": _held(10.0),
    "features making up 99 % of the effect": _kept(0.99),
    "features not chosen": _kept(np.inf),
    "glm alone": Form({"models": "glm"}),
    "forest alone": Form({"models": "forest"}),
}


def halves(cells: CellTable) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Cells to learn from and cells to forecast: south and north, then north and south."""
    y = cells.x["y_km"].to_numpy()
    south, north = y < np.median(y) - _BETWEEN_KM, y > np.median(y) + _BETWEEN_KM
    yield south, north
    yield north, south


def bits(planted: worlds.Planted, incidents: int) -> dict[str, float]:
    """Mean bits to expect of every form over the two halves, given the truth there."""
    each = [_half(planted, incidents, *parts) for parts in halves(planted.record.cells)]
    return {name: float(np.mean([found[name] for found in each])) for name in each[0]}


def _half(
    planted: worlds.Planted, incidents: int, learned: np.ndarray, forecast: np.ndarray
) -> dict[str, float]:
    record = planted.record
    seen, past = restrict(record.cells, record.panel, learned)
    rng = np.random.default_rng([record.seed, incidents])
    past = past.take(np.sort(rng.choice(len(past), incidents, replace=False)))
    there, _ = restrict(record.cells, record.panel, forecast)
    truth, area = planted.truth[forecast], there.area_100km2
    forecasts = {
        name: form.intensity(seen, past, planted.origin, there) for name, form in FORMS.items()
    }
    border = fit_spatial(REFERENCE, {}, seen, past, planted.origin)
    forecasts |= {"(distance to border by itself)": border.intensity(there), "truth": truth}
    return {name: expected_bits(found, area, truth) for name, found in forecasts.items()}
