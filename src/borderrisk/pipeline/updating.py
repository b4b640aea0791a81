"""The forecast cycle of a border: take in incidents, forecast, verify, keep the track record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from borderrisk.compute import map_parallel
from borderrisk.config.loader import CONFIG_FILE, load_config
from borderrisk.config.whole import Config
from borderrisk.errors import BorderRiskError, ConfigError, DataError, plain
from borderrisk.evaluation.prospective import Issued, Period
from borderrisk.outputs.atomic import write_text
from borderrisk.outputs.compare import ROSE, compare
from borderrisk.outputs.trackrecord import CYCLE_PAGE, RECORD_PAGE, Updated, cycle_page, record_page
from borderrisk.pipeline import checking, forecasting
from borderrisk.pipeline.cycle import Merged, past_forecasts, take_in
from borderrisk.pipeline.inputs import read_incident_table
from borderrisk.pipeline.result import Result, open_run
from borderrisk.pipeline.stages import Progress
from borderrisk.runs.folder import alone, is_frozen, sweep
from borderrisk.runs.hashing import SUMS, check_sums, read_json
from borderrisk.runs.manifest import MANIFEST, manifest_of
from borderrisk.sources.incidents import IncidentTable
from borderrisk.words import nearest_places

REHEARSAL, VERIFICATIONS = "rehearsal.json", "verifications"
_NEAR = 3


def update(
    folder: str | Path,
    incidents: str | Path | None = None,
    *,
    as_of: Any = None,
    rehearse: Any = None,
    progress: Progress | None = None,
) -> Updated:
    """Bring a border up to date; a second time nothing is new.

    ``folder`` is one of ``init``, or a config. New or corrected ``incidents`` (of the same id the
    later row wins) are laid over the known ones, in ``data/incidents.csv``. The forecasts of the
    config's ``forecasts.horizons_days`` are made from the first of the month of ``as_of`` (by
    default the day after the latest incident) and frozen, those whose time is over on that day are
    verified, and the track record is written. ``rehearse`` is the first day of past forecasts that
    show what the record would have been; ``progress`` is told which forecast is being made.

    Raises ``ConfigError``, ``DataError`` or ``OutputError`` as the parts do, ``DataError`` before
    anything is done if a frozen forecast was changed; what was finished before stays, and the next
    update goes on from there.
    """
    config = load_config(folder)
    with alone(config.record_folder, "update"):
        # A killed update may have left remains where this one has nothing to write.
        places = config.record_folder, config.forecasts_folder, config.folder / "data"
        sweep(*places, config.record_folder / VERIFICATIONS)
        issued = _issued(config)
        merged = None if incidents is None else take_in(Path(folder), config, Path(incidents))
        config = load_config(folder)
        checking.require_incidents(config)
        cycle = _Cycle.of(config, issued, as_of)
        before = cycle.latest()
        made = cycle.forecast(progress)
        verified = cycle.verify()
        rehearsed = 0 if rehearse is None else cycle.rehearse(pd.Timestamp(rehearse))
        cycle.write_record()
        moved, changes = _moved(before, cycle.latest()) if made else (0.0, [])
        return Updated(
            config.record_folder, config.title, f"{cycle.origin:%Y-%m-%d}", made, verified,
            len(merged.new) if merged else 0, merged.rows_corrected if merged else 0, rehearsed,
            [*_said_incidents(merged, cycle), *cycle.said_forecasts(), *changes,
             *cycle.said_record(verified)],
            moved,
        )  # fmt: skip


@dataclass(frozen=True)
class _Cycle:
    """The forecasts of a config, as they stand on a day."""

    config: Config
    table: IncidentTable
    as_of: pd.Timestamp
    issued: list[Issued]
    current: dict[str, Path] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config, issued: list[Issued], as_of: Any) -> _Cycle:
        table = read_incident_table(config, None)
        after = table.incidents["date_end"].max() + pd.Timedelta(days=1)
        now = pd.Timestamp.now()
        begun = [origin for it in issued if (origin := pd.Timestamp(it.origin)) <= now]
        latest = max(begun, default=pd.Timestamp(0))
        try:
            day = max(after, latest) if as_of is None else pd.Timestamp(as_of)
        except ValueError as error:
            raise ConfigError(f"--as-of must be a date like 2025-01-31 (got {as_of!r}).") from error
        if day < latest:
            raise ConfigError(
                f"--as-of {day:%Y-%m-%d} lies before {latest:%Y-%m-%d}, from when the latest "
                "forecast is; a record is kept in the order of time. `borderrisk forecast --out` "
                "makes one for any day, outside of the record."
            )
        if day > now + pd.Timedelta(days=1):
            raise ConfigError(
                f"--as-of {day:%Y-%m-%d} is yet to come: what will be reported until then cannot "
                "be verified."
            )
        return cls(config, table, day, issued)

    @property
    def origin(self) -> pd.Timestamp:
        return self.as_of.replace(day=1)

    @property
    def horizons(self) -> tuple[int, ...]:
        return tuple(sorted(self.config.forecasts.horizons_days))

    def path(self, origin: pd.Timestamp, days: int) -> Path:
        return self.config.forecasts_folder / f"{origin:%Y-%m-%d}-{days}d"

    def forecast(self, progress: Progress | None = None) -> list[str]:
        """Make and freeze the forecasts that are missing."""
        made, missing = [], [d for d in self.horizons if not is_frozen(self.path(self.origin, d))]
        for k, days in enumerate(missing):
            final = self.path(self.origin, days)
            if progress is not None:
                progress(f"forecasts from {self.origin:%Y-%m-%d}", k, len(missing))
            forecasting.forecast(
                self.config, origin=self.origin, horizon_days=days, out=final,
                replicates=self.config.uncertainty.replicates,
            )  # fmt: skip
            made.append(str(final))
            self.issued.append(_as_issued(final))
        return made

    def latest(self) -> Path | None:
        found = [it for it in self.issued if it.days == self.horizons[0]]
        last = max(found, key=lambda it: it.origin, default=None)
        return None if last is None else self.config.forecasts_folder / last.source

    def verify(self) -> list[str]:
        done, record = [], self.config.data.incidents.path or Path()
        for it in self.issued:
            if it.end > self.as_of:
                continue
            folder, new = forecasting.verify_record(
                self.config.forecasts_folder / it.source, it, record, self.table, self.as_of,
                self.config.record_folder / VERIFICATIONS,
            )  # fmt: skip
            self.current[it.source] = folder
            if new:
                done.append(str(folder))
        return done

    @cached_property
    def _outcomes(self) -> dict[Path, Period]:
        """What became of every forecast, by the folder that says so; once all are verified.

        By the rows of its time as they are now; of a forecast that is gone, the last verification.
        """
        found: dict[str, tuple[tuple[bool, str], Path, Period]] = {}
        for path in (self.config.record_folder / VERIFICATIONS).glob(f"[!.]*/{MANIFEST}"):
            folder = path.parent
            with _understood(path, "move its folder away, and it is made again"):
                facts = read_json(path)
                period = Period.from_json(facts["period"])
                now = folder == self.current.get(period.source)
                made = now, str(facts["data_until"] + facts["made_utc"])
            if period.source not in found or made > found[period.source][0]:
                found[period.source] = made, folder, period
        rows = sorted(found.values(), key=lambda row: (row[2].days, row[2].origin))
        return {folder: period for _, folder, period in rows}

    def rehearsal(self) -> list[Period]:
        path = self.config.record_folder / REHEARSAL
        if not path.exists():
            return []
        with _understood(path, "remove it; --rehearse makes it again"):
            rows = read_json(path)
            if not isinstance(rows, list):
                raise TypeError("it is no list")
            return [Period.from_json(row) for row in rows]

    def rehearse(self, first: pd.Timestamp) -> int:
        """Make the forecasts that the record would hold since a day: scores and counts only."""
        rows = past_forecasts(self.config, first, self.as_of, self.horizons)
        text = json.dumps([row.to_json() for row in rows], indent=1) + "\n"
        return len(rows) * _write_other(text, self.config.record_folder / REHEARSAL)

    def write_record(self) -> None:
        """Write the track record, where it is not what is there already."""
        title = self.config.title or self.config.name
        drawn = {
            period.source: picture
            for folder, period in self._outcomes.items()
            if (picture := folder / forecasting.OUTCOME).exists()
        }
        periods = list(self._outcomes.values())
        text = record_page(title, periods, self.rehearsal(), self.issued, drawn)
        _write_other(text, self.config.record_folder / RECORD_PAGE)

    def said_forecasts(self) -> list[str]:
        """Say what is expected within each horizon."""
        parts = [
            f"{it.expected:.1f} in {it.days} days ({it.low} to {it.high})"
            for it in self.issued
            if it.origin == f"{self.origin:%Y-%m-%d}" and it.days in self.horizons
        ]
        later = int((self.table.incidents["date_end"] >= self.origin).sum())
        after = self.origin + pd.offsets.MonthBegin()
        wait = f"; incidents since then that wait for the next, from {after:%Y-%m-%d}: {later}"
        return [
            f"Forecast from {self.origin:%Y-%m-%d}: reported incidents, {', '.join(parts)}"
            f"{wait if later else ''}."
        ]

    def said_record(self, verified: Sequence[str]) -> list[str]:
        """Say how the last forecast did, and all of them; which of them reports changed."""
        found = list(self._outcomes.values())
        if not found:
            return ["No forecast has come to its end yet: the track record is still empty."]
        last = max(found, key=lambda p: (p.end, -p.days))
        gain = last.over_history
        skill = "" if gain is None else f"; {gain:+.2f} bits per incident over history alone"
        known = self.table.incidents["date_end"].max()
        doubt = f" (the last known incident is of {known:%Y-%m-%d})"
        held = sum(p.held for p in found)
        again = [
            f"{p.origin} for {p.days} days, {p.reported} reported"
            for folder, p in self._outcomes.items()
            if str(folder) in verified
            and len([*folder.parent.glob(f"{p.source}-*/{MANIFEST}")]) > 1
        ]
        return [
            *([f"Late or corrected reports: {'; '.join(again)}."] if again else []),
            f"The forecast of {last.origin} for {last.days} days expected {last.expected:.1f} "
            f"({last.low} to {last.high}), {last.reported} were reported"
            f"{doubt if known < pd.Timestamp(last.origin) else skill}.",
            f"Track record: {held} of {len(found)} numbers lay in their 90 % interval; "
            f"{RECORD_PAGE} has them all.",
        ]


def _write_other(text: str, path: Path) -> bool:
    """Write a text that is not in place already; whether it was not."""
    other = not (path.is_file() and path.read_text(encoding="utf-8") == text)
    if other:
        write_text(text, path)
    return other


def _issued(config: Config) -> list[Issued]:
    """Every frozen forecast, the earliest first; each must be what it was.

    Hidden folders are what killed updates left: they were never issued.
    """
    place = config.forecasts_folder
    found = {path.parent for name in (SUMS, MANIFEST) for path in place.glob(f"[!.]*/{name}")}
    # A forecast without sums, of which nothing vouches any more, is refused as others are.
    return [
        _as_issued(path)
        for path in sorted(found)
        if (path / SUMS).exists() or manifest_of(path).get("kind") == forecasting.KIND
    ]


def _as_issued(folder: Path) -> Issued:
    check_sums(folder)
    with _understood(folder, "it is no forecast of this version: move it elsewhere"):
        facts = read_json(folder / MANIFEST)
        return Issued(
            origin=facts["origin"], days=int(facts["horizon_days"]), **facts["total"],
            made=facts["started"][:10], source=folder.name,
        )  # fmt: skip


@contextmanager
def _understood(path: Path, mend: str) -> Iterator[None]:
    """Say what to do about a record of the folder that cannot be understood."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: cannot be read ({plain(error)}); {mend}.") from error


def _said_incidents(merged: Merged | None, cycle: _Cycle) -> list[str]:
    if merged is None:
        last = cycle.table.incidents["date_end"].max()
        return [f"Incidents: {len(cycle.table.incidents)}, the latest of {last:%Y-%m-%d}."]
    new = merged.table[merged.table["incident_id"].isin(merged.new)]
    places = new["place"].where(new["place"] != "", new["province"])
    most = places[places != ""].value_counts().head(_NEAR)
    where = ", ".join(f"{place} ({count})" for place, count in most.items())
    news = f"{len(merged.new)} new{': ' + where if where else ''}"
    return [f"Incidents: {news}; {merged.rows_corrected} corrected."]


def _moved(before: Path | None, after: Path | None) -> tuple[float, list[str]]:
    """How far a forecast moved from the one before it, and where."""
    if before is None or after is None or before == after:
        return 0.0, ["There is no earlier forecast to compare with."]
    old, new = open_run(before), open_run(after)
    since = f"Since the forecast of {old.scene.meta.origin}"
    if old.scene.grid != new.scene.grid:
        return 1.0, [f"{since} the cells are others: what changed cannot be told."]
    found = compare(old.scene, new.scene)
    then, now = (np.nan_to_num(it.scene.cells["expected"].to_numpy()) for it in (old, new))
    gain = now - then
    moved = float(np.abs(gain).sum() / max((now + then).sum(), 1e-9))
    rose = np.where(found.scene_for_map.cells["change"].to_numpy() == ROSE, gain, 0.0)
    return moved, [
        f"{since}, beyond their intervals: {found.counts['rose']} cells rose and "
        f"{found.counts['fell']} fell{_places(new, rose)}{_sections(old, new)}; {moved:.0%} of the "
        "expected incidents changed in number or place."
    ]


def _places(result: Result, rose: np.ndarray) -> str:
    most = [int(k) for k in np.argsort(-rose, axis=None)[:_NEAR] if rose.flat[k] > 0]
    if not most:
        return ""
    x, y = (axis.ravel()[most] for axis in result.scene.grid.centres())
    points = gpd.GeoSeries(gpd.points_from_xy(x, y), crs=result.scene.grid.crs)
    near = [str(place) for place in nearest_places(result.scene.settlements, points) if place]
    return f" (most {', '.join(dict.fromkeys(near))})" if near else ""


def _sections(old: Result, new: Result) -> str:
    """How many sections of border rose or fell beyond the intervals of their ranks."""
    layers = [it.scene.layers.get("segments") for it in (old, new)]
    if any(layer is None or "rank_low" not in layer for layer in layers):
        return ""
    a, b = (layer.set_index("segment_id") for layer in layers)  # type: ignore[union-attr]
    both = a.index.intersection(b.index)
    a, b = a.loc[both], b.loc[both]
    rose = int((b["rank_high"] < a["rank_low"]).sum())
    fell = int((b["rank_low"] > a["rank_high"]).sum())
    return f"; {rose} sections of border rose and {fell} fell"


def update_all(
    folders: Sequence[str | Path],
    incidents: str | Path | None = None,
    *,
    as_of: Any = None,
    rehearse: Any = None,
    scheduler: str = "processes",
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Updated]:
    """Bring several borders up to date; one that fails does not stop the others.

    A folder that is no border itself stands for all those in it. The scheduler is as in
    :func:`borderrisk.compute.map_parallel`. A page that ranks what changed most is written beside
    the borders where they share a parent folder. ``progress`` is told of one border alone.

    Raises what the update raised if there is only one border, ``ConfigError`` if there is none.
    """
    found = [path for folder in folders for path in _borders(Path(folder))]
    one = partial(update, incidents=incidents, as_of=as_of, rehearse=rehearse)
    if len(found) == 1:
        return [one(found[0], progress=progress)]
    if incidents is not None:
        raise ConfigError("--incidents is for one border; give the others theirs in turn.")
    done = map_parallel(partial(_safely, one), found, scheduler=scheduler, workers=workers)
    parents = {path.absolute().parent for path in found}
    if len(parents) == 1:
        write_text(cycle_page(done), parents.pop() / CYCLE_PAGE)
    return done


def _borders(folder: Path) -> list[Path]:
    """Return the border that a path is, or those that a folder holds."""
    if (folder / CONFIG_FILE).is_file() or not folder.is_dir():
        return [folder]
    found = sorted(path.parent for path in folder.glob(f"*/{CONFIG_FILE}"))
    if not found:
        raise ConfigError(
            f"{folder}: holds no {CONFIG_FILE}, nor do its folders; make one with borderrisk init."
        )
    return found


def _safely(one: Callable[[Path], Updated], folder: Path) -> Updated:
    try:
        return one(folder)
    except BorderRiskError as error:
        return Updated(folder, error=str(error))
    except Exception as error:
        return Updated(folder, error=f"internal error: {type(error).__name__}: {error}")
