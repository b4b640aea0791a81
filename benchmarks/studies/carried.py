"""Models carried from one border to another: against history alone there, and where to trust them.

Fitted on all that is known on one border, without features named after places, and taken to
another: weights and ground stay, earlier incidents and level are the other's, at yearly origins, a
year ahead. Bits are per incident over an even map. A cell is trusted or not as at each origin; the
last columns are about the incidents that fell into each kind of cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.names import BORDERS
from benchmarks.studies import common
from borderrisk.compute import map_parallel
from borderrisk.config import load_config
from borderrisk.evaluation.backtest import MIN_LATER, backtest
from borderrisk.evaluation.metrics import capture, information_gain, paired_difference
from borderrisk.evaluation.scorecard import REFERENCE
from borderrisk.features.catalogue import names_a_place
from borderrisk.model import trust
from borderrisk.model.modelfile import ModelFile
from borderrisk.model.pool import Carried
from borderrisk.model.registry import make_model
from borderrisk.pipeline import scoring, steps
from borderrisk.pipeline.stages import Stages

OWN = "decayed_pool"
KINDS = {"all": None, "ok": trust.OK, "extrapolation": trust.EXTRAPOLATION,
         "sparse": trust.SPARSE, "edge": trust.EDGE}  # fmt: skip
# Travel names its targets, and costs the most.
_CHEAP = {"features.travel.enabled": "false", "corridors.enabled": "false"}


@dataclass
class Kind:
    """What fell into one kind of cells: bits of each incident by model, capture, their share.

    One array for each origin; ``area`` is the share of the study area.
    """

    bits: dict[str, list[np.ndarray]] = field(default_factory=dict)
    caught: list[np.ndarray] = field(default_factory=list)
    area: list[float] = field(default_factory=list)


def look_at(title: str, more: dict[str, str]) -> common.Look:
    """Open a border without the features that are named after its neighbours."""
    path, own = BORDERS[title]
    config = load_config(path, {**own, **_CHEAP, **more})
    stages = Stages.of(config)
    named = [name for name in stages[steps.cells].features if names_a_place(name)]
    exclude = {"features": {"exclude": sorted({*config.features.exclude, *named})}}
    return common.Look(Stages.of(config.with_changes(exclude)))


def carried(learned: ModelFile, there: common.Look) -> dict[str, Kind]:
    """Bits and captures of a carried model by kind of cell, beside models fitted there."""
    cells, known = there.cells, there.known
    models = {Carried.name: Carried(learned=learned.model),
              REFERENCE: make_model(REFERENCE), OWN: make_model(OWN)}  # fmt: skip
    made = backtest(cells, known, there.origins, (1,), models, near_km=there.section.near_km,
                    seed=there.seed, workers=1)  # fmt: skip
    area = cells.study_area_100km2[cells.study]
    found = {kind: Kind({name: [] for name in models}) for kind in KINDS}
    for forecast in (one for one in made if len(one.tests[1].new) >= MIN_LATER):
        past = known.before(forecast.origin)
        fitted = learned.model.carried(cells, past, forecast.origin)
        codes = scoring.trust_codes(
            cells, there.stages[steps.features], past, learned.trust,
            there.stages.config.study_area.halo_km,
            leans=scoring.leans_on_ground(cells, fitted), trained_here=False,
        )[cells.study]  # fmt: skip
        for name, kind in found.items():
            code = KINDS[name]
            here = np.ones(len(area), bool) if code is None else codes == code
            mass = mostly_in(forecast.tests[1].mass, here)
            for model, said in forecast.intensity.items():
                kind.bits[model].append(information_gain(said, area, mass))
            kind.caught.append(capture(forecast.intensity[Carried.name], area, mass))
            kind.area.append(float(area[here].sum() / area.sum()))
    return found


def mostly_in(mass: csr_matrix, here: np.ndarray) -> csr_matrix:
    """Incidents with more than half of their mass in some cells.

    Examples
    --------
    >>> mostly_in(csr_matrix([[0.6, 0.4], [0.0, 1.0]]), np.array([True, False])).toarray()
    array([[0.6, 0.4]])
    """
    return csr_matrix(mass[np.flatnonzero(mass @ here.astype(float) > 0.5)])


def rows(found: dict[str, Kind], seed: int = 0) -> list[dict[str, Any]]:
    """Summarise the kinds of cells that anything fell into.

    Returns
    -------
    list of dict
        ``kind, area, incidents, bits, capture`` of the carried model; ``gain, low, high`` over
        history alone with a 90 % interval over origins; ``own``, the gain of the model fitted
        there.
    """
    table = []
    for name, kind in found.items():
        bits = {model: np.concatenate(parts) for model, parts in kind.bits.items() if parts}
        if not bits or not len(bits[REFERENCE]):
            continue
        block = np.repeat(np.arange(len(kind.area)), [len(part) for part in kind.caught])
        gain = paired_difference(bits[Carried.name], bits[REFERENCE], block, seed=seed)
        table.append({
            "kind": name, "area": float(np.mean(kind.area)), "incidents": len(block),
            "bits": float(bits[Carried.name].mean()),
            "capture": float(np.concatenate(kind.caught).mean()),
            "gain": gain.value, "low": gain.low, "high": gain.high,
            "own": float((bits[OWN] - bits[REFERENCE]).mean()),
        })  # fmt: skip
    return table


def main(arguments: Sequence[str]) -> None:
    """Carry a model from every border to every other."""
    parser = common.parser("carried", __doc__)
    parser.add_argument("--only", nargs="+", default=[""], metavar="TITLE",
                        help="borders by part of their name")  # fmt: skip
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args(arguments)
    more = dict(item.split("=", 1) for item in given.set)
    chosen = [title for title in BORDERS
              if any(part.lower() in title.lower() for part in given.only)]  # fmt: skip
    looks = {title: look_at(title, more) for title in chosen}
    learned = {title: look.stages[steps.model] for title, look in looks.items()}
    pairs = [(one, other) for one in chosen for other in chosen if one != other]
    found = map_parallel(lambda pair: carried(learned[pair[0]], looks[pair[1]]), pairs)
    for (one, other), kinds in zip(pairs, found, strict=True):
        print("\n".join([f"{one} -> {other}", *lines_of(rows(kinds)), ""]), flush=True)


def lines_of(table: Sequence[dict[str, Any]]) -> list[str]:
    """Return a table as lines of text."""
    lines = [f"{'cells':14}{'area':>6}{'incidents':>10}{'bits':>7}{'capture':>9}"
             f"{'over history alone':>26}{'fitted there':>14}"]  # fmt: skip
    for row in table:
        gain = f"{row['gain']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f})"
        lines.append(f"{row['kind']:14}{row['area']:>6.0%}{row['incidents']:>10,}{row['bits']:>7.2f}"
                     f"{row['capture']:>9.0%}{gain:>26}{row['own']:>+14.2f}")  # fmt: skip
    return lines
