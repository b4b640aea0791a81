"""What a forecast cycle works with: incidents laid over known ones, past forecasts rehearsed."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from borderrisk.config.loader import CONFIG_FILE
from borderrisk.config.whole import Config
from borderrisk.config.yamltext import edit_yaml
from borderrisk.errors import ConfigError, DataError
from borderrisk.evaluation.backtest import in_study
from borderrisk.evaluation.prospective import LAST_PERIOD, REHEARSAL, Period, Said, judged
from borderrisk.evaluation.scorecard import REFERENCE
from borderrisk.model.cells import CellTable
from borderrisk.model.panel import Panel
from borderrisk.model.protocol import Memo, Settings
from borderrisk.model.registry import usable
from borderrisk.outputs.atomic import plain_rows, write_text, writing
from borderrisk.pipeline import steps
from borderrisk.pipeline.evaluating import border_line
from borderrisk.pipeline.inputs import without_checksum
from borderrisk.pipeline.stages import Stages
from borderrisk.scores import risk_class, risk_percentile
from borderrisk.sources.incidents import TEXT_FIELDS, IncidentTable, read_incidents
from borderrisk.sources.layouts import layout_of
from borderrisk.sources.recognised import recognise
from borderrisk.sources.tables import read_header

log = logging.getLogger(__name__)

COLUMNS = (
    "incident_id", "date", "date_end", "date_precision", "latitude", "longitude", "radius_km",
    "kind", "confidence", *TEXT_FIELDS, "deaths_reported",
)  # fmt: skip
"""Columns of a merged table: those of the layout ``table`` under our own names."""

_MADE = "row-"
MERGED, CORRECTED, UNREAD = "incidents.csv", "incidents-corrected.csv", "incidents-rejected.csv"
_PLAIN = {name: name for name in ("date", "latitude", "longitude", "radius_km")}
_MONTH_DAYS = 30.4


@dataclass(frozen=True)
class Merged:
    """A table of incidents and what a later file brought.

    ``table`` has the ``COLUMNS`` as text, by date, then id. ``new`` are ids that were not there
    before; ``corrected`` has a row per changed cell: ``incident_id, column, before, after``.
    """

    table: pd.DataFrame
    new: list[str]
    corrected: pd.DataFrame

    @property
    def changed(self) -> bool:
        """Whether the later file brought anything."""
        return bool(self.new) or not self.corrected.empty

    @property
    def rows_corrected(self) -> int:
        """How many known incidents the later file changed."""
        return int(self.corrected["incident_id"].nunique())


def plain_table(incidents: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return usable incidents as text under our names, one row each, in the order given.

    An id made from the number of a row, which another file has too, becomes one of its content.
    """
    table = pd.DataFrame(
        {
            **{name: incidents[name].astype("string").fillna("") for name in COLUMNS
               if name in incidents and name not in ("date", "date_end", "radius_km")},
            "date": incidents["date"].dt.strftime("%Y-%m-%d"),
            "date_end": incidents["date_end"].dt.strftime("%Y-%m-%d"),
            "latitude": incidents.geometry.y.map(_number),
            "longitude": incidents.geometry.x.map(_number),
            "radius_km": incidents["radius_km"].map(_number),
        }
    )[list(COLUMNS)].astype(str)  # fmt: skip
    made = table["incident_id"].str.startswith(_MADE)
    content = table[list(COLUMNS[1:])].agg("\x1f".join, axis=1)
    marks = [sha256(text.encode()).hexdigest()[:12] for text in content]
    return table.assign(incident_id=table["incident_id"].mask(made, pd.Series(marks, table.index)))


def merge(known: pd.DataFrame, later: pd.DataFrame) -> Merged:
    """Lay later rows over known ones of the same id; both are plain tables.

    A blank cell of a later row says nothing: what was known stays.
    """
    old, new = (part.set_index("incident_id") for part in (known, later))
    both = new.index.intersection(old.index)
    before, after = old.loc[both], new.loc[both]
    after = after.where(after != "", before)
    row, column = np.nonzero((before != after).to_numpy())
    corrected = pd.DataFrame(
        {
            "incident_id": both[row],
            "column": old.columns[column],
            "before": before.to_numpy()[row, column],
            "after": after.to_numpy()[row, column],
        }
    )
    added = new.index.difference(old.index, sort=False)
    table = pd.concat([old.drop(index=both), after, new.loc[added]]).reset_index()
    table = table.sort_values(["date", "incident_id"], kind="stable", ignore_index=True)
    return Merged(table[list(COLUMNS)], list(added), corrected)


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def take_in(folder: Path, config: Config, path: Path) -> Merged:
    """Lay the incidents of a file over those of a folder; its config reads the outcome.

    Every step leaves a folder that can be read, so that the next update finishes what one that was
    killed began.
    """
    section, own, first = config.data.incidents, config.folder / "data", config.data.incidents.path
    if not (folder / CONFIG_FILE).is_file():
        raise ConfigError(
            f"{folder}: is a config of its own; --incidents needs a folder that `borderrisk init` "
            "made. Change the file of data.incidents.path yourself, or make a folder."
        )
    later = _whole(config, path)
    known = IncidentTable.none() if first is None else _whole(config, first)
    found = merge(plain_table(known.incidents), plain_table(later.incidents))
    target = own / MERGED
    settled = first == target and section.layout == "table" and section.columns == _PLAIN
    _keep_rejected([(later, path)] if first is None else [(known, first), (later, path)], own)
    if not found.changed:
        return found
    if first is not None and first == target and not settled:
        kept = own / f"incidents-first{first.suffix}"
        with writing(kept) as partial:
            shutil.copyfile(first, partial)
        _edit(folder, {"path": f"data/{kept.name}"})
    package = config.data.package
    if package is not None and (text := without_checksum(package, target)) is not None:
        write_text(text, package)
    _append(found.corrected, own / CORRECTED)
    write_text(found.table.to_csv(index=False, lineterminator="\n"), target)
    if not settled:
        past = dict.fromkeys(("default_radius_km", "radius_km", "calendar"))
        values = {"path": f"data/{MERGED}", "layout": "table", "columns": _PLAIN, **past}
        _edit(folder, values)
    return found


def _whole(config: Config, path: Path) -> IncidentTable:
    """Read all usable incidents of a file, in its own layout or that of the config; no filter."""
    section = config.data.incidents
    header = read_header(path, "incidents")
    layout = layout_of(header)
    plain = {*COLUMNS} <= {*header}
    if layout != "table" or plain:
        return read_incidents(path, layout, calendar=section.calendar,
                              radius_km=None if plain else section.radius_km or None)  # fmt: skip
    if section.layout != "table" or not {*section.columns.values()} <= {*header}:
        return _recognised(path)
    return read_incidents(
        path, "table", section.columns or None, section.default_radius_km,
        calendar=section.calendar, radius_km=section.radius_km or None,
    )  # fmt: skip


def _recognised(path: Path) -> IncidentTable:
    """Read a sheet with headings of its own as init does, but ask nothing; say what was taken."""

    def choose(question: str, options: list[str]) -> str:
        raise DataError(
            f"incidents: {path}: {question[:-1]}: {' or '.join(options)}? Name the one as in "
            f"{', '.join(_PLAIN)}."
        )

    found = recognise(path, None, choose)
    radius = found.default_radius_km
    taken = "" if radius is None else f"; radius_km ← {radius:g} where a row does not say it"
    log.warning("%s: %s%s", path.name, found.notes[0], taken)
    return found.table


def _keep_rejected(parts: list[tuple[IncidentTable, Path]], own: Path) -> None:
    """List the rows that are not used, and say how many there are."""
    left = pd.concat([it.rejected.assign(file=file.name) for it, file in parts])
    for file, rows in left.groupby("file"):
        log.warning("%s: %d rows are not used; data/%s says why", file, len(rows), UNREAD)
    _append(left, own / UNREAD)


def _edit(folder: Path, values: dict[str, Any]) -> None:
    path = folder / CONFIG_FILE
    text = path.read_text(encoding="utf-8")
    for key, value in values.items():
        text = edit_yaml(text, f"data.incidents.{key}", value)
    write_text(text, path)


def _append(rows: pd.DataFrame, path: Path) -> None:
    """Add rows to a table, each once."""
    rows = plain_rows(rows.astype(str))
    if path.exists():
        rows = pd.concat([pd.read_csv(path, dtype=str, keep_default_na=False), rows])
    if len(rows):
        write_text(rows.drop_duplicates().to_csv(index=False, lineterminator="\n"), path)


def past_forecasts(
    config: Config, first: pd.Timestamp, as_of: pd.Timestamp, horizons: Sequence[int]
) -> list[Period]:
    """Forecast from past origins, and score what came: numbers and places only.

    Origins are firsts of months from ``first`` on, so far apart that the periods of a length do not
    overlap, and end before ``as_of``. Each forecast knows only incidents from before its origin.

    Raises ``DataError`` if no origin has enough earlier incidents.
    """
    stages = Stages.of(config)
    cells, record = stages[steps.cells], stages[steps.incidents]
    panel = record.everything.before(as_of)
    rows = cells.mask.ravel().nonzero()[0][cells.study]
    line = border_line(stages[steps.border]).attribution[rows]
    least = config.evaluation.min_past_incidents
    found: list[Period] = []
    for days in horizons:
        own = config.model
        names = dict.fromkeys((own.estimator, REFERENCE, LAST_PERIOD))
        models = usable(names, cells, days, **{own.estimator: own.parameters})
        memo: Memo = {}
        for origin in origins(first, as_of, days):
            past = panel.before(origin)
            if len(past) < least:
                continue
            said = _said(models, config, cells, past, origin, days, memo, line)
            end = origin + pd.Timedelta(days=days)
            later = panel.between(origin, end)
            mass, kept = in_study(cells, later)
            weight = later.incidents["weight"].to_numpy(float)[kept]
            found.append(
                Period(
                    kind=REHEARSAL, origin=f"{origin:%Y-%m-%d}", days=days,
                    until=f"{as_of:%Y-%m-%d}", **judged(said, mass, weight, config.seed),
                )
            )  # fmt: skip
    if not found:
        raise DataError(
            f"--rehearse {first:%Y-%m-%d}: no month from then on that is over by {as_of:%Y-%m-%d} "
            f"has {least} earlier incidents (evaluation.min_past_incidents); begin later."
        )
    return found


def origins(first: pd.Timestamp, as_of: pd.Timestamp, days: int) -> list[pd.Timestamp]:
    """Return firsts of months whose periods do not overlap and are over.

    Examples
    --------
    >>> found = origins(pd.Timestamp("2020-01-15"), pd.Timestamp("2020-09-01"), 90)
    >>> [f"{day:%m-%d}" for day in found]
    ['02-01', '05-01']
    """
    start = first if first.day == 1 else first + pd.offsets.MonthBegin()
    step = max(1, int(np.ceil(days / _MONTH_DAYS - 0.1)))
    found = []
    while start + pd.Timedelta(days=days) <= as_of:
        found.append(start)
        start += pd.DateOffset(months=step)
    return found


def _said(
    models: dict[str, Settings], config: Config, cells: CellTable, past: Panel,
    origin: pd.Timestamp, days: int, memo: Memo, line: csr_matrix,
) -> Said:  # fmt: skip
    fitted = {n: it.fit(cells, past, origin, config.seed, memo) for n, it in models.items()}
    name, study = config.model.estimator, cells.study
    area = cells.study_area_100km2[study]
    intensity = {n: np.maximum(it.intensity(cells)[study], 1e-300) for n, it in fitted.items()}
    classes = risk_class(risk_percentile(intensity[name], area))
    return Said(name, intensity, fitted[name].level, classes, area, days, line)
