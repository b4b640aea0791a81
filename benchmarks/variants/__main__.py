"""Compare the shipped model with forms that differ from it in one thing."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.variants import ceilings, halves, observed, report, worlds
from benchmarks.variants.moments import Record
from benchmarks.variants.pooling import Recipe, forecast, learn
from benchmarks.variants.recipes import SHIPPED, USUAL, recipes
from borderrisk.evaluation.backtest import SUBSETS
from borderrisk.model.fitting import fit_spatial
from borderrisk.model.planted import expected_bits

SEEDS = tuple(range(21, 29))
SECTIONS = ("worlds", "halves", "observed", "ceilings")
REFERENCES = ("kde", "history", "gam")
KINDS: dict[str, Callable[[int], worlds.Planted]] = {
    "no clusters": worlds.plain,
    f"{worlds.NOISE} columns of noise": worlds.noisy,
    "clusters, 8 months": partial(worlds.clustered, memory=worlds.SHORT),
    "clusters, 4 years": partial(worlds.clustered, memory=worlds.LONG),
}
_SAME = 1e-6


def main() -> None:
    """Run the study and print its tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.variants", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--quick", action="store_true", help="one world of each kind")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"unknown section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    start, wanted = time.perf_counter(), options.sections or SECTIONS
    seeds, data, planted = SEEDS[:1] if options.quick else SEEDS, None, []
    with threadpool_limits(1):
        if {"observed", "ceilings"} & set(wanted):
            data = _on_data(wanted)
        if "worlds" in wanted:
            planted = [_on_worlds(kind, seeds) for kind in KINDS]
        if "halves" in wanted:
            print("\nOne half of a world forecast from the other\n")
            print(report.study_table(_on_halves(seeds), None))
    if planted or data is not None:
        print(f"\nBits per incident, differences to the first form; seeds {seeds}\n")
        print(report.study_table(planted, data))
    print(f"\n{(time.perf_counter() - start) / 60:.1f} minutes.")


def _told(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _on_data(wanted: Sequence[str]) -> report.Observed | None:
    record, tests = observed.read()
    check(record, tests[-1])
    alone = ceilings.singles(record, tests)
    single = {name: observed.scored(record.cells, tests, one) for name, one in alone.items()}
    years = ", ".join(f"{test.origin:%Y} ({len(test.later.new)})" for test in tests)
    print(f"Origins and incidents of the year after: {years}.")
    if "ceilings" in wanted:
        _ceilings(record, tests, alone, single)
    if "observed" not in wanted:
        return None
    _learned(record, tests)
    found = {form.name: _scored(form, record, tests) for form in recipes(incidents_differ=True)}
    found |= {f"({name} by itself)": single[name] for name in REFERENCES}
    return report.Observed(found, single["kde"])


def check(record: Record, test: observed.Test) -> None:
    """Raise if the first form is not the product's own model."""
    own = fit_spatial("pooled", {}, record.cells, record.panel, test.origin, record.seed)
    intensity, area = own.intensity(record.cells), record.cells.area_100km2
    intensity /= np.average(intensity, weights=area)
    difference = np.abs(forecast(USUAL, record, test.origin, USUAL) / intensity - 1).max()
    if difference > _SAME:
        raise RuntimeError(f"The form {SHIPPED!r} differs from the product by {difference:.1e}.")


def _scored(form: Recipe, record: Record, tests: list[observed.Test]) -> observed.Score:
    start = time.perf_counter()
    intensities = [forecast(form, record, test.origin, USUAL) for test in tests]
    _told(f"{form.name}: {time.perf_counter() - start:.1f} s")
    return observed.scored(record.cells, tests, intensities)


def _ceilings(
    record: Record,
    tests: list[observed.Test],
    alone: dict[str, list[np.ndarray]],
    single: dict[str, observed.Score],
) -> None:
    own = [ceilings.own_parts(record, test) for test in tests]
    more = [np.column_stack([x, y]) for x, y in zip(own, alone["kde"], strict=True)]
    shipped = _scored(USUAL, record, tests)
    found = {SHIPPED: dict.fromkeys(SUBSETS, shipped)}
    found |= {f"{n} by itself": dict.fromkeys(SUBSETS, score) for n, score in single.items()}
    found |= {
        f"hindsight: {name}": {s: ceilings.best_single(single, s, aim) for s in SUBSETS}
        for name, aim in (("single, by bits", "bits"), ("single, by capture", "captured"))
    }
    mixes = {
        "linear, by bits": (own, ceilings.best_bits),
        "linear, by capture": (own, ceilings.best_capture),
        "linear with KDE, by bits": (more, ceilings.best_bits),
        "log-linear, by bits": (own, ceilings.best_product),
    }
    found |= {
        f"hindsight: {name}": {
            s: ceilings.hindsight(record, tests, parts, s, best) for s in SUBSETS
        }
        for name, (parts, best) in mixes.items()
    }
    print("\nCeilings with hindsight, shipped data\n")
    print(report.ceiling_table(found, single["kde"]))


def _learned(record: Record, tests: list[observed.Test]) -> None:
    print("\nWhat the shipped form learned:")
    for test in tests:
        found = learn(USUAL, record, test.origin, USUAL)
        shares = " ".join(f"{weight:.2f}" for weight in found.weights)
        print(f"{test.origin:%Y}: {found.pair.bandwidth_km:g} km, "
              f"{' and '.join(found.pair.models)}, shares {shares}")  # fmt: skip


def _on_worlds(kind: str, seeds: Sequence[int]) -> report.Planted:
    return _each(kind, seeds, lambda seed: planted_bits(KINDS[kind](seed)))


def _on_halves(seeds: Sequence[int]) -> list[report.Planted]:
    return [
        _each(f"{kind}, {incidents}", seeds, partial(_half_bits, strength, incidents))
        for kind, strength in halves.STRENGTHS.items()
        for incidents in halves.INCIDENTS
    ]


def _half_bits(strength: float, incidents: int, seed: int) -> dict[str, float]:
    return halves.bits(worlds.hidden(seed, strength), incidents)


def _each(
    kind: str, seeds: Sequence[int], score: Callable[[int], dict[str, float]]
) -> report.Planted:
    rows = []
    for seed in seeds:
        start = time.perf_counter()
        rows.append(score(seed))
        _told(f"{kind}, seed {seed}: {time.perf_counter() - start:.0f} s")
    bits = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    truth = bits.pop("truth")
    return report.Planted(kind, bits, truth)


def planted_bits(planted: worlds.Planted) -> dict[str, float]:
    """Bits to expect of every form on the year after the record, given the truth."""
    record, inside = planted.record, planted.record.cells.study
    area, truth = record.cells.study_area_100km2[inside], planted.truth[inside]
    found = {
        form.name: forecast(form, record, planted.origin, USUAL)
        for form in recipes(incidents_differ=False)
    }
    for name in REFERENCES:
        model = fit_spatial(name, {}, record.cells, record.panel, planted.origin, record.seed)
        found[f"({name} by itself)"] = model.intensity(record.cells)
    bits = {name: expected_bits(values[inside], area, truth) for name, values in found.items()}
    return bits | {"truth": expected_bits(truth, area, truth)}


if __name__ == "__main__":
    main()
