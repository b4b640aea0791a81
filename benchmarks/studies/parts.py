"""What each part of the decayed pool is worth: bits per incident without it.

On the shipped border and those of ``benchmarks/borders``, yearly origins, one year ahead. Without a
part the shares of the others are learned anew. Differences are to the pool with all its parts, on
all incidents and, among new places, over the mean of new ground; below zero the part helps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.names import BORDERS
from benchmarks.studies import common
from borderrisk.compute import map_parallel
from borderrisk.config import load_config
from borderrisk.evaluation.backtest import MIN_LATER, backtest
from borderrisk.evaluation.metrics import information_gain, paired_difference
from borderrisk.evaluation.scorecard import NEW_GROUND
from borderrisk.model.cells import CellTable
from borderrisk.model.decayed_pool import RECENT, DecayedPool
from borderrisk.model.panel import Panel
from borderrisk.pipeline.stages import Stages

NOTHING, EVERYWHERE = "nothing", "four borders"
SUBSETS = ("all", NEW_GROUND)
Bits = dict[str, dict[str, list[np.ndarray]]]


@dataclass(frozen=True)
class Without(DecayedPool):
    """The decayed pool without the parts that have a label.

    Parameters
    ----------
    left_out : str
        Label.
    """

    left_out: str = NOTHING

    def labels(self, kinds: tuple[str, ...]) -> list[set[str]]:
        """Labels of every part, in the order of the fitted model."""
        remembered = [
            {f"width {width:g} km", "recent" if life <= RECENT else "history"}
            for width in self.widths_km
            for life in self.half_lives_years
        ]
        named = {"ground": "forest", "loglinear": "log-linear"}
        return [*remembered, *[{named[kind], "ground"} for kind in kinds], {"even"}]

    def _prior(self, kinds: tuple[str, ...]) -> np.ndarray:
        # A part without pseudo-incidents never gets a share.
        kept = [self.left_out not in labels for labels in self.labels(kinds)]
        return super()._prior(kinds) * np.array(kept)


def left_out() -> list[str]:
    """Return every label there is, nothing first.

    Examples
    --------
    >>> left_out()[:4]
    ['nothing', 'width 3 km', 'width 30 km', 'recent']
    """
    labels = set().union(*Without().labels(("ground", "loglinear"))) - {"history"}
    order = ["width", "recent", "forest", "log-linear", "ground", "even"]
    place = {label: next(k for k, o in enumerate(order) if label.startswith(o)) for label in labels}
    return [NOTHING, *sorted(labels, key=lambda label: (place[label], len(label)))]


def part_bits(
    cells: CellTable, panel: Panel, origins: Sequence[pd.Timestamp], near_km: float, seed: int
) -> Bits:
    """Bits of the incidents of a year after every origin, without each part.

    Returns
    -------
    dict of str to dict of str to list of ndarray
        By subset and what is left out, one array for each origin that enough incidents follow.
    """
    models = {label: Without(left_out=label) for label in left_out()}
    made = backtest(cells, panel, origins, (1,), models, near_km=near_km, seed=seed, workers=1)
    area = cells.study_area_100km2[cells.study]
    found: Bits = {subset: {label: [] for label in models} for subset in SUBSETS}
    for forecast in (one for one in made if len(one.tests[1].new) >= MIN_LATER):
        for subset, bits in found.items():
            ground, mass = forecast.scored(1, subset)
            for label, said in forecast.intensity.items():
                some = mass.shape[0] > 0
                gain = information_gain(said[ground], area[ground], mass) if some else np.zeros(0)
                bits[label].append(gain)
    return found


def worth(bits: Mapping[str, Sequence[np.ndarray]], seed: int = 0) -> list[dict[str, Any]]:
    """Summarise the bits of one subset.

    Returns
    -------
    list of dict
        ``left_out, incidents, bits, change, low, high``: mean bits per incident, and how far they
        change without the part, with a 90 % interval over origins.
    """
    full = bits[NOTHING]
    block = np.repeat(np.arange(len(full)), [len(one) for one in full])
    rows = []
    for label, parts in bits.items():
        values = np.concatenate(parts)
        change = paired_difference(values, np.concatenate(full), block, seed=seed)
        rows.append({"left_out": label, "incidents": len(values), "bits": float(values.mean()),
                     "change": change.value, "low": change.low, "high": change.high})  # fmt: skip
    return rows


def main(arguments: Sequence[str]) -> None:
    """Leave out one part after the other on every border."""
    parser = common.parser("parts", __doc__)
    parser.add_argument("--only", nargs="+", default=[""], metavar="TITLE",
                        help="borders by part of their name")  # fmt: skip
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args(arguments)
    more = dict(item.split("=", 1) for item in given.set)
    chosen = {
        title: (config, {**own, **more})
        for title, (config, own) in BORDERS.items()
        if any(part.lower() in title.lower() for part in given.only)
    }
    found = map_parallel(_of_border, chosen.values(), scheduler="processes")
    borders = dict(zip(chosen, found, strict=True))
    if len(borders) > 1:
        borders[EVERYWHERE] = {
            subset: {
                label: [one for bits in found for one in bits[subset][label]]
                for label in found[0][subset]
            }
            for subset in SUBSETS
        }
    for title, bits in borders.items():
        print("\n".join([*lines_of(title, bits), ""]))


def _of_border(config_and_changes: tuple[Any, Mapping[str, str]]) -> Bits:
    config, changes = config_and_changes
    look = common.Look(Stages.of(load_config(config, dict(changes))))
    return part_bits(look.cells, look.known, look.origins, look.section.near_km, look.seed)


def lines_of(title: str, bits: Bits) -> list[str]:
    """Return the table of a border as lines of text."""
    tables = {subset: worth(values) for subset, values in bits.items()}
    counts = ", ".join(
        f"{rows[0]['incidents']:,} {name.replace('_', ' ')}" for name, rows in tables.items()
    )
    lines = [f"{title} ({counts})", f"{'without':16}{'all incidents':>34}{'within new ground':>34}"]
    for one, there in zip(*tables.values(), strict=True):
        lines.append(f"{one['left_out']:16}{_change(one):>34}{_change(there):>34}")
    return lines


def _change(row: Mapping[str, Any]) -> str:
    text = f"{row['bits']:+.2f}"
    if row["left_out"] == NOTHING:
        return text
    return f"{text}   {row['change']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})"
