"""The scorecard of a config: every test, each from what was known at the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from borderrisk.model import scorecard
from borderrisk.model.ablation import ablation_rows
from borderrisk.model.backtest import (
    BASELINES,
    ESTIMATORS,
    Forecasts,
    backtest,
    oracle_kde_bits,
    origin_rows,
    yearly_origins,
)
from borderrisk.model.panel import Panel
from borderrisk.model.pooled import fit_spatial
from borderrisk.model.robustness import Surface, rank_stability
from borderrisk.model.spatial import spatial_tests
from borderrisk.pipeline.border import border_line

if TYPE_CHECKING:
    from borderrisk.pipeline.stages import Stages

_ABLATION_ORIGINS = 4
_NOTES = (
    "Everything that is fitted (effects of features, scaling, bandwidths, penalties, pooling "
    "weights, the level) was learned from incidents before each origin. The form of the pooled "
    "model was chosen by hand with these origins in view, so its lead is somewhat optimistic; a "
    "frozen forecast that is verified later is the stricter test.",
    "Averages are over yearly origins followed by at least five incidents. A repeat place lies "
    "near an incident known at the origin: part of that skill is an artefact of reports that are "
    "geocoded to the same town.",
    "The level is not calibrated where reporting grows: more incidents were reported than the "
    "years before an origin would suggest. Ranks do not depend on the level.",
)


def evaluate(stages: Stages) -> dict[str, Any]:
    """Run every test that the config asks for.

    Raises
    ------
    DataError
        If an origin has too few earlier incidents, a horizon passes the data, or a fold is empty.
    """
    config, section = stages.config, stages.config.evaluation
    name = config.model.estimator
    forecasts = _forecasts(stages)
    line = border_line(stages.border)
    rows = origin_rows(forecasts, stages.cells, line)
    level = config.uncertainty.level
    part = scorecard.prospective(forecasts, rows, stages.cells, name, level=level, seed=config.seed)
    spatial = _spatial(stages) if section.spatial else None
    found: dict[str, Any] = {
        "model": name,
        "headline": scorecard.headline(part, name),
        "prospective": part,
        "targets": scorecard.targets(part, name, spatial),
        "ceiling": _ceiling(stages, forecasts),
        "notes": list(_NOTES),
    }
    if spatial is not None:
        found["spatial"] = spatial
    if section.ablation:
        found["ablation"] = {"rows": _ablation(stages, forecasts)}
    if section.robustness_cell_km:
        found["robustness"] = {"rows": _robustness(stages)}
    return found


def evaluation_panel(stages: Stages) -> Panel:
    """Return the incidents that evaluation may use: those before the config's own origin."""
    return stages.all_incidents.before(stages.origin)


def _parameters(stages: Stages) -> dict[str, dict[str, Any]]:
    """Every estimator and baseline; the config's own with its parameters."""
    model = stages.config.model
    names = dict.fromkeys((model.estimator, *ESTIMATORS, *BASELINES))
    return {n: dict(model.parameters) if n == model.estimator else {} for n in names}


def _forecasts(stages: Stages) -> list[Forecasts]:
    section, progress = stages.config.evaluation, stages.progress
    return backtest(
        stages.cells,
        evaluation_panel(stages),
        yearly_origins(section.first_origin, section.last_origin),
        section.horizons_years,
        _parameters(stages),
        near_km=section.near_km,
        least=section.min_past_incidents,
        seed=stages.config.seed,
        workers=stages.config.compute.workers,
        progress=None if progress is None else lambda done, n: progress("evaluation", done, n),
    )


def _ceiling(stages: Stages, forecasts: list[Forecasts]) -> dict[str, Any]:
    years = min(stages.config.evaluation.horizons_years)
    used = scorecard.used_origins(forecasts, years)
    bits = oracle_kde_bits(stages.cells, evaluation_panel(stages), used, years)
    return {"name": "kde with the bandwidth that suits each scored period best", "bits": bits}


def _spatial(stages: Stages) -> dict[str, Any]:
    codes = [row.country_b.lower() for row in stages.inputs.borders.itertuples()]
    return spatial_tests(
        stages.cells,
        evaluation_panel(stages),
        stages.origin,
        list(_parameters(stages)),
        _parameters(stages),
        seed=stages.config.seed,
        neighbour_distances=[f"border_distance_{code}_km" for code in codes],
    )


def _ablation(stages: Stages, forecasts: list[Forecasts]) -> list[dict[str, Any]]:
    years = min(stages.config.evaluation.horizons_years)
    origins = [f.origin for f in scorecard.used_origins(forecasts, years)][-_ABLATION_ORIGINS:]
    return ablation_rows(
        stages.cells,
        evaluation_panel(stages),
        origins,
        years,
        seed=stages.config.seed,
        name=stages.config.model.estimator,
    )


def _robustness(stages: Stages) -> list[dict[str, Any]]:
    """Rank stability over cell sizes, and with the grid shifted by half a cell."""
    own = stages.config.grid.cell_size_m / 1000
    sizes = [km for km in stages.config.evaluation.robustness_cell_km if km != own]
    variants = [(km * 1000, 0.0) for km in sizes] + [(own * 1000, 0.5)]
    surfaces = [_surface(_variant(stages, size, shift), shift > 0) for size, shift in variants]
    return [dict(row) for row in rank_stability(_surface(stages, False), surfaces)]


def _variant(stages: Stages, cell_size_m: float, shift: float) -> Stages:
    changed = stages.config.with_changes({"grid": {"cell_size_m": cell_size_m}})
    return type(stages)(changed, stages.cache, None, shift)


def _surface(stages: Stages, shifted: bool) -> Surface:
    config, cells = stages.config, stages.cells
    model = fit_spatial(
        config.model.estimator, config.model.parameters, cells, stages.panel,
        pd.Timestamp(stages.origin), config.seed,
    )  # fmt: skip
    intensity = np.where(cells.study, model.intensity(cells), np.nan)
    exposure = stages.features["exposure"].to_numpy()
    return Surface(cells.grid, cells.to_grid(intensity), exposure, shifted)
