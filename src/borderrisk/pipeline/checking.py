"""What every input holds and does: told at the start of a run, and all that `validate` does."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from borderrisk.config import Config
from borderrisk.errors import ConfigError
from borderrisk.features.terrain import check_coverage
from borderrisk.grid import Grid
from borderrisk.outputs.atomic import check_file, write_rows, writing
from borderrisk.outputs.scene import InputUse
from borderrisk.pipeline import limits, steps
from borderrisk.pipeline.costs import Estimate, counted, in_bytes, spoken
from borderrisk.pipeline.readings import open_inputs
from borderrisk.pipeline.stages import Stages
from borderrisk.runs.manifest import shown_path
from borderrisk.sources.files import Reading

log = logging.getLogger(__name__)


def require_incidents(config: Config) -> None:
    """Raise ``ConfigError`` unless a config has incidents to learn from."""
    if config.data.incidents.path is None:
        raise ConfigError(
            f"{config.name} has no incidents to learn from or to test with; give data.incidents. "
            "`borderrisk run` makes an index map without them."
        )


# Effects are counted on coarser cells where a grid has more: only a run needs them all.
_MOST_CELLS = 250_000
_RADII_KM = (5, 10, 25, 50, 100)


@dataclass(frozen=True)
class Checked:
    """What `validate` found: of each input, of the incidents, of the area, and what a run takes.

    ``inputs`` are rows of texts and numbers; ``rejected`` has ``row, incident_id, reason`` of every
    row of the incidents that is not used.
    """

    inputs: list[dict[str, Any]]
    by_year: dict[str, int]
    by_precision: dict[str, int]
    area: dict[str, Any]
    estimate: Estimate
    rejected: pd.DataFrame

    def payload(self) -> dict[str, Any]:
        """Return all of it, JSON-ready."""
        both = {"whole run": self.estimate, "first look": self.estimate.without_intervals()}
        return {
            "inputs": self.inputs,
            "incidents": {"by year": self.by_year, "by precision": self.by_precision},
            "study_area": self.area,
            "run": {
                name: {"seconds": round(e.total_seconds), "memory_mb": round(e.total_bytes / 1e6)}
                for name, e in both.items()
            },
            "rejected": len(self.rejected),
        }

    def lines(self) -> list[str]:
        """Return what stands below the table of inputs."""
        km = ", ".join(f"{pair} {km:,.0f} km" for pair, km in self.area["border_km"].items())
        look = self.estimate.without_intervals()
        return [
            f"incidents by year: {_spelt(self.by_year)}",
            f"incidents by precision: {_spelt(self.by_precision)}",
            f"study area: {self.area['cells']:,} cells of {self.area['cell_km']:g} km "
            f"({self.area['cells_read']:,} with the halo), {self.area['km2']:,} km²; border: {km}, "
            f"{self.area['segments']:,} segments",
            f"a run will take about {spoken(self.estimate.total_seconds)} and "
            f"{in_bytes(self.estimate.total_bytes)} of memory; a first look (--no-evaluate) "
            f"{spoken(look.total_seconds)} and {in_bytes(look.total_bytes)}",
        ]


def validate(config: Config, rejected: Path | None = None) -> Checked:
    """Open every input of a config, and reckon what a run will take.

    Every row of the incidents that is not used goes to the CSV file ``rejected``, if one is named.

    Raises ``ConfigError`` if a run would take too much, ``DataError`` at the first input that fails
    a check.
    """
    if rejected is not None:
        check_file(rejected)
    stages = Stages.of(config)
    estimate = limits.check(config, stages.inputs)
    if estimate.grid > _MOST_CELLS:
        stages = Stages.of(_coarse(config, estimate))
    study, elevation = stages[steps.area], stages.inputs.elevation
    check_coverage(elevation, study.grid, needed=study.base["exposure"].to_numpy() > 0)
    whole = Grid.covering(study.area.halo.bounds, study.grid.crs, config.grid.cell_size_m)
    found = open_inputs(stages, whole)
    for reading in found:
        reading.warn()
    record = stages[steps.incidents]
    if rejected is not None:
        with writing(rejected) as partial:
            write_rows(record.rejected(), partial)
    estimate = _told(config, stages, record)
    area = {
        "cells": round(estimate.scored),
        "cells_read": round(estimate.read),
        "cell_km": estimate.cell_km,
        "km2": round(estimate.area_km2),
        "border_km": {pair: round(km, 1) for pair, km in estimate.km.items()},
        "segments": round(estimate.segments),
    }
    if whole.shape == study.grid.shape:
        for name, part in (("cells", "exposure"), ("cells_read", "domain")):
            area[name] = int((study.base[part].to_numpy() > 0).sum())
    rows = [_row(reading, stages) for reading in found]
    return Checked(rows, *_incident_counts(record), area, estimate, record.rejected())


def tell(stages: Stages) -> list[InputUse]:
    """Log what every input holds and does, warnings aloud, and what the run will take.

    Raises ``ConfigError`` if so many incidents make that too much.
    """
    found = open_inputs(stages, stages[steps.area].grid)
    for reading in found:
        reading.tell()
    estimate = _told(stages.config, stages, stages[steps.incidents])
    log.info(
        "a run of about %s cells will take some %s and %s of memory",
        *(counted(estimate.scored), spoken(estimate.total_seconds)),
        in_bytes(estimate.total_bytes),
    )
    return [InputUse(r.what, r.read, r.without, r.used_for) for r in found]


def _told(config: Config, stages: Stages, record: steps.Record) -> Estimate:
    """Reckon what a run with so many incidents will take, and doubt aloud that it fits."""
    estimate = limits.check(config, stages.inputs, len(record.everything))
    if said := limits.doubt(estimate):
        log.warning("%s", said)
    return estimate


def _row(reading: Reading, stages: Stages) -> dict[str, Any]:
    header, path = reading.header, shown_path(reading.path, stages.project)
    return {
        "input": reading.what, "path": path, "holds": reading.holds, "left out": reading.without,
        "used for": reading.used_for, "read": reading.read, "format": header.format,
        "layer": header.layer, "rows": reading.rows, "crs": header.crs, "extent": reading.extent,
        "units": header.units,
    }  # fmt: skip


def _coarse(config: Config, estimate: Estimate) -> Config:
    """Return the config with cells so large that counting effects on them takes no time."""
    metres = float(1000 * np.sqrt(estimate.box_km2 / _MOST_CELLS))
    log.warning(
        "effects of the inputs are counted on cells of %.2g km; a run has smaller ones",
        metres / 1000,
    )
    return config.with_changes({"grid": {"cell_size_m": metres}})


def _incident_counts(record: steps.Record) -> tuple[dict[str, int], dict[str, int]]:
    table = record.table.incidents
    used = table[table["incident_id"].isin(record.everything.incidents["incident_id"])]
    years = used["date"].dt.year.value_counts().sort_index()
    dates = used["date_precision"].value_counts()
    bounds = [0.0, *map(float, _RADII_KM), np.inf]
    held, _ = np.histogram(-used["radius_km"].to_numpy(float), -np.array(bounds[::-1]))
    places = {f"place within {km} km": int(n) for km, n in zip(_RADII_KM, held[:0:-1], strict=True)}
    places[f"place beyond {_RADII_KM[-1]} km"] = int(held[0])
    precision = {f"date to the {name}": int(n) for name, n in dates.items()} | places
    return (
        {str(year): int(n) for year, n in years.items()},
        {name: n for name, n in precision.items() if n},
    )


def _spelt(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items()) or "none"
