"""What a config may ask for: refused before any work, by the key, with what would be possible.

Each key has a largest value (``MOST``, ``LENGTHS``); a run as a whole may not need more memory than
the machine has, nor more time than anyone waits, as :mod:`borderrisk.pipeline.costs`
reckons.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from borderrisk.config import Config
from borderrisk.config.base import Location, Problem
from borderrisk.config.problems import got
from borderrisk.grid import MAX_CELLS
from borderrisk.pipeline.costs import (
    WORK,
    Estimate,
    count_origins,
    counted,
    in_bytes,
    machine_bytes,
    measured,
    spoken,
)
from borderrisk.pipeline.inputs import Inputs

MOST_HOURS = 100.0
"""A run that would take longer is refused."""

CERTAIN = 2.0
"""The estimate is good to a factor of two: memory that is short by less is doubted, not refused."""

MOST_SEGMENTS = 20_000


@dataclass(frozen=True)
class Most:
    """The largest value of a key: its unit, why, and the seconds that one takes at the least."""

    value: int
    unit: str
    why: str = ""
    seconds: float = 0.0


_PROJECTION = ", as one map projection cannot hold more"
MOST: dict[str, Most] = {
    "study_area.border_strip_km": Most(2_000, "km", _PROJECTION),
    "study_area.halo_km": Most(1_000, "km", _PROJECTION),
    "data.incidents.max_radius_km": Most(1_000, "km"),
    "features.terrain.tpi_radii_km": Most(500, "km"),
    "features.proximity.potential_scale_km": Most(2_000, "km"),
    "features.concealment.radius_km": Most(100, "km"),
    "uncertainty.replicates": Most(10_000, "refits", seconds=0.05),
    "corridors.routes": Most(10_000, "routes per target", seconds=0.05),
    "corridors.slack_hours": Most(10_000, "hours"),
    "evaluation.horizons_years": Most(100, "years"),
    "model.parameters.n_estimators": Most(10_000, "trees", seconds=0.002),
}
LENGTHS = {
    "features.terrain.tpi_radii_km": 20,
    "features.proximity.settlement_thresholds": 20,
    "features.travel.targets": 100,
    "features.travel.closed": 1_000,
    "corridors.slack_hours": 20,
    "evaluation.horizons_years": 20,
    "forecasts.horizons_days": 20,
}
"""The most entries of a list."""

MOST_ORIGINS = 100
_CELL, _TESTED = "grid.cell_size_m", "evaluation.first_origin"
# What can be made larger or smaller until a run fits: field of the size, step, unit of the key.
_ADJUSTED = {
    _CELL: ("cell_km", 1.1, 1000.0),
    "uncertainty.replicates": ("replicates", 1 / 1.1, 1.0),
    "corridors.routes": ("routes", 1 / 1.1, 1.0),
    _TESTED: ("tests", 1 / 1.1, 1.0),
}
_STEPS = 100


def check(config: Config, inputs: Inputs, incidents: int | None = None) -> Estimate:
    """Return what a run will take, from the border and the outlines alone.

    Raises ``ConfigError`` naming each key that asks for more than is possible, and what would fit.
    """
    if problems := [*_largest(config), *_longest(config)]:
        raise config.refused(problems)
    size = measured(config, inputs, incidents)
    if problems := [*_too_many(config, size)] or [*_too_much(config, size)]:
        raise config.refused(problems)
    return size


def doubt(estimate: Estimate) -> str:
    """Say so if a run may need more memory than there is; else return nothing."""
    there = machine_bytes()
    if estimate.total_bytes <= there:
        return ""
    return (
        f"a run may need {in_bytes(estimate.total_bytes)} of memory, more than the "
        f"{in_bytes(there)} of this machine; larger cells or fewer replicates need less"
    )


def _value(config: Config, key: str) -> Any:
    value: Any = config.model_dump(mode="json")
    for name in key.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _largest(config: Config) -> Iterator[Problem]:
    for key, most in MOST.items():
        found, at = _value(config, key), tuple(key.split("."))
        for k, value in enumerate(found if isinstance(found, list) else [found]):
            if isinstance(value, int | float) and value > most.value:
                place: Location = (*at, k) if isinstance(found, list) else at
                takes = f", which would take {spoken(value * most.seconds)}" if most.seconds else ""
                yield Problem(
                    place, f"{counted(value)} {most.unit}{takes}; the most is {most.value:,}"
                    f"{most.why}: use {most.value} or less {got(value)}",
                )  # fmt: skip


def _longest(config: Config) -> Iterator[Problem]:
    for key, most in LENGTHS.items():
        value = _value(config, key)
        if len(value) > most:
            message = f"{len(value):,} entries; the most is {most:,}: leave some out"
            yield Problem(tuple(key.split(".")), message)
    if (origins := count_origins(config)) > MOST_ORIGINS:
        yield Problem(
            ("evaluation", "first_origin"),
            f"{origins:,} yearly origins; the most is {MOST_ORIGINS}: use a later one "
            f"{got(str(config.evaluation.first_origin))}",
        )


def _too_many(config: Config, size: Estimate) -> Iterator[Problem]:
    """Find more cells or segments than can be held, whatever the machine."""
    if size.grid > MAX_CELLS:
        fits = _fitting(size, _CELL) or "larger cells"
        held = in_bytes(sum(size.bytes(p) for p in WORK if p.key == _CELL))
        yield Problem(
            tuple(_CELL.split(".")),
            f"the grid would have {counted(size.grid)} cells, some {held} of memory; the most is "
            f"{MAX_CELLS:,} cells: use {fits} {got(config.grid.cell_size_m)}",
        )
    if size.segments > MOST_SEGMENTS:
        fits = _rounded(size.border_km / MOST_SEGMENTS, up=True)
        yield Problem(
            ("segments", "segment_km"),
            f"{size.border_km:,.0f} km of border would be cut into {counted(size.segments)} "
            f"segments; the most is {MOST_SEGMENTS:,}: use {fits} or more "
            f"{got(config.segments.segment_km)}",
        )


def _too_much(config: Config, size: Estimate) -> Iterator[Problem]:
    """Find a run that needs more memory than there is, or more time than anyone waits."""
    most = CERTAIN * machine_bytes()
    if size.total_bytes > most:
        said = f"{in_bytes(size.total_bytes)} of memory"
        limit = f"twice the {in_bytes(machine_bytes())} of this machine"
        yield _refused(config, size, said, limit, {p.key: size.bytes(p) for p in WORK})
    if size.total_seconds > MOST_HOURS * 3600:
        limit = f"the {MOST_HOURS:g} h of the longest run"
        parts = {part.key: size.seconds(part) for part in WORK}
        yield _refused(config, size, spoken(size.total_seconds), limit, parts)


def _refused(
    config: Config, size: Estimate, takes: str, limit: str, parts: Mapping[str, float]
) -> Problem:
    """Name the key that most of it goes to."""
    key = max(_ADJUSTED, key=lambda key: parts.get(key, 0.0))
    value = _fitting(size, key)
    mend = "narrow the area with study_area.window" if value is None else f"use {value}"
    if key == _TESTED:
        mend = "use a later one, or set evaluation.enabled to false"
    return Problem(
        tuple(key.split(".")),
        f"a run would take some {takes} for {counted(size.grid)} cells, {size.refits:,} refits and "
        f"{size.tests:,} tests, more than {limit}: {mend} {got(config.value(key))}",
    )


def _fitting(size: Estimate, key: str) -> str | None:
    """Return the value of a key with which a run is possible, to a tenth, if there is one."""
    name, factor, unit = _ADJUSTED[key]
    up = factor > 1
    value = float(getattr(size, name))
    if up:  # from the smallest cells that a grid can have
        value = max(value, math.sqrt(size.box_km2 / MAX_CELLS))
    for _ in range(_STEPS):
        rounded = _rounded(value * unit, up)
        changes: dict[str, Any] = {name: float(rounded) / unit if up else int(rounded)}
        other = replace(size, **changes)
        held = other.grid <= MAX_CELLS and other.total_bytes <= CERTAIN * machine_bytes()
        if held and other.total_seconds <= MOST_HOURS * 3600:
            return f"{rounded} or {'more' if up else 'less'}"
        value *= factor
    return None


def _rounded(value: float, up: bool) -> str:
    """Return two figures that are not less, or a whole number of two that is not more."""
    if up:
        step = 10.0 ** (math.floor(math.log10(value)) - 1)
        return f"{math.ceil(round(value / step, 6)) * step:g}"
    step = 10.0 ** max(0, math.floor(math.log10(max(value, 1))) - 1)
    return f"{math.floor(value / step) * step:g}"
