"""Fit the model of a config, and its bootstrap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from borderrisk.config import Config
from borderrisk.errors import DataError
from borderrisk.model import drivers, trust
from borderrisk.model.cells import CellTable
from borderrisk.model.chosen import facts
from borderrisk.model.fitting import SpatialModel, fit_spatial
from borderrisk.model.modelfile import ModelFile, cell_stats
from borderrisk.model.panel import Panel
from borderrisk.model.uncertainty import Intervals, bootstrap_intervals

if TYPE_CHECKING:
    from borderrisk.pipeline.stages import Stages

_WORTH_PROCESSES = 50
_MOST_CELLS = 10_000


def training_panel(config: Config, panel: Panel, origin: pd.Timestamp) -> Panel:
    """Return the incidents before the origin, in the training period and area of the config."""
    panel = panel.before(origin)
    if config.train.start is not None:
        panel = panel.subset(panel.incidents["date"] >= pd.Timestamp(config.train.start))
    if config.train.area == "focus":
        panel = panel.subset(_near_focus(config, panel))
    return panel


def _near_focus(config: Config, panel: Panel) -> np.ndarray:
    """Incidents whose point lies in one of the mapped windows."""
    lon, lat = panel.grid.unproject(panel.incidents["x"], panel.incidents["y"])
    inside = np.zeros(len(panel), bool)
    for focus in config.mapped_focus.values():
        west, south, east, north = focus.bounds
        inside |= (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    return inside


def fit(config: Config, cells: CellTable, panel: Panel, origin: pd.Timestamp) -> ModelFile:
    """Fit the config's estimator on everything before the origin.

    Raises
    ------
    DataError
        If there is no incident to fit on.
    """
    if not len(panel):
        raise DataError(
            f"No incident in the study area and halo is dated before the origin {origin:%Y-%m-%d}; "
            "set train.origin later, or change the filters of data.incidents."
        )
    model = fit_spatial(
        config.model.estimator, config.model.parameters, cells, panel, origin, seed=config.seed
    )
    weights = _importance(model.estimator, cells, config.seed)
    test = trust.Dissimilarity.fit(
        cells.x[cells.study],
        weights,
        trust.area_folds(cells)[cells.study],
        seed=config.seed,
    )
    extra: dict[str, Any] = {
        "estimator": config.model.estimator,
        "parameters": dict(config.model.parameters),
        "incidents": len(panel),
        "horizon_days": config.outputs.horizon_days,
        "crs": cells.grid.crs.to_wkt(),
        "importance": {name: round(float(value), 6) for name, value in weights.items()},
        "facts": facts(model.estimator),
    }
    stats = cell_stats(cells.x[cells.study])
    return ModelFile(model.estimator, cells.features, str(origin.date()), stats, test, extra)


def _importance(estimator: Any, cells: CellTable, seed: int) -> dict[str, float]:
    """How far each feature moves the model; of many cells a random part says so as well."""
    rows = np.arange(len(cells))
    if len(rows) > _MOST_CELLS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MOST_CELLS, replace=False))
    area = cells.study_area_100km2[rows]
    return drivers.importance(drivers.effects(estimator, cells.x.iloc[rows], area), area)


def bootstrap(stages: Stages, replicates: int) -> Intervals:
    """Refit on resampled incidents at redrawn locations."""
    config, progress = stages.config, stages.progress
    return bootstrap_intervals(
        config.model.estimator,
        config.model.parameters,
        stages.cells,
        stages.panel,
        stages.origin,
        replicates=replicates,
        level=config.uncertainty.level,
        horizon_days=config.outputs.horizon_days,
        seed=config.seed,
        scheduler=_scheduler(config, replicates),
        workers=config.compute.workers,
        model=SpatialModel(config.model.estimator, stages.model.model),
        progress=None if progress is None else lambda done, n: progress("intervals", done, n),
    )


def _scheduler(config: Config, replicates: int) -> str:
    """Refits hold the interpreter's lock: processes pay once there are enough of them."""
    chosen = config.compute.scheduler
    return "processes" if chosen == "threads" and replicates >= _WORTH_PROCESSES else chosen
