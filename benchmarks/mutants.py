"""Faults planted in one line of the product, each met by the tests that should notice.

``python -m benchmarks.mutants [NAME ...]`` copies the tree, plants one fault after another and runs
the tests named beside it: a fault that they let pass is *alive*. Code and tests are found by their
text, wherever the files are; text that is not there (any more) is an error, to be mended in the
table below.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
KILLED, ALIVE, ERROR = "killed", "ALIVE", "ERROR"
_TIMEOUT_S = 600
_NO_TEST_RAN = 5


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes
    ----------
    name : str
        What is wrong then.
    old, new : str
        Text that stands once in ``src/borderrisk``, and what is put in its place.
    tests : tuple of str
        Names of test functions that should notice.
    """

    name: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        "a class begins above its edge, not at it",
        'np.searchsorted(CLASS_EDGES, risk, side="right")',
        'np.searchsorted(CLASS_EDGES, risk, side="left")',
        ("test_a_class_begins_at_its_edge",),
    ),
    Mutant(
        "the scored year leaks into the learning of the pool's weights",
        "Lesson(self._at(cells, past.before(earlier), earlier, cache), later)",
        "Lesson(self._at(cells, past.before(later.incidents['date_end'].max()), earlier, cache),"
        " later)",
        ("test_weights_are_learned_from_what_was_known_before_each_lesson",),
    ),
    Mutant(
        "intervals come from the cache whatever their level",
        'self._part("uncertainty.level", "outputs.horizon_days")',
        'self._part("outputs.horizon_days")',
        ("test_another_level_is_another_key_of_the_intervals",),
    ),
    Mutant(
        "evaluation sees incidents after the run's own origin",
        "return self.everything.before(self.origin)",
        "return self.everything",
        ("test_evaluation_sees_nothing_after_the_origin_of_the_run",),
    ),
    Mutant(
        "a forecast in evaluation takes ground that is hit later for known",
        "known = panel.before(origin).incidents[",
        "known = panel.incidents[",
        ("test_a_place_hit_later_is_new_at_the_origin",),
    ),
    Mutant(
        "repeat ground is what is known in the end",
        "repeat_ground(cells, past, near_km)",
        "repeat_ground(cells, panel, near_km)",
        ("test_repeat_ground_is_near_what_was_known_at_the_origin",),
    ),
    Mutant(
        "an incident that ends on the origin is known there",
        'self.incidents["date_end"] < pd.Timestamp(origin)',
        'self.incidents["date_end"] <= pd.Timestamp(origin)',
        ("test_before_needs_the_whole_period_in_the_past",),
    ),
    Mutant(
        "an incident that begins before the origin is known there",
        'self.incidents["date_end"] < pd.Timestamp(origin)',
        'self.incidents["date"] < pd.Timestamp(origin)',
        ("test_before_needs_the_whole_period_in_the_past",),
    ),
    Mutant(
        "a horizon holds its last day",
        "(last < pd.Timestamp(end))",
        "(last <= pd.Timestamp(end))",
        ("test_between_takes_the_start_and_leaves_the_end",),
    ),
    Mutant(
        "incidents are spread over the sea part of a cell, too",
        "values = weights[inside] * domain[rows, cols][inside]",
        "values = weights[inside] * 1.0",
        ("test_mass_is_cut_to_land_in_proportion_to_its_share",),
    ),
    Mutant(
        "the radius of an incident holds half of its mass",
        "RADIUS_PER_SIGMA = float(np.sqrt(2 * np.log(10)))",
        "RADIUS_PER_SIGMA = float(np.sqrt(2 * np.log(2)))",
        ("test_ninety_percent_of_the_mass_lies_within_the_radius",),
    ),
    Mutant(
        "confidence weighs nothing",
        'weight = self.incidents["weight"].to_numpy(float) if weighted else np.ones(len(self))',
        "weight = np.ones(len(self))",
        ("test_counts_use_the_confidence_weights",),
    ),
    Mutant(
        "an incident with any mass in the study area counts as one there",
        "kept = np.flatnonzero(share >= MIN_IN_STUDY)",
        "kept = np.flatnonzero(share > 0)",
        ("test_an_incident_mostly_elsewhere_is_not_scored",),
    ),
    Mutant(
        "risk ranks cells, not area",
        "area_of_group = np.bincount(group, weights=area)",
        "area_of_group = np.bincount(group, weights=np.ones(len(area)))",
        ("test_percentile_counts_area_not_cells",),
    ),
    Mutant(
        "an interval is as wide as its tails twice over",
        "return (1 - level) / 2, (1 + level) / 2",
        "return 1 - level, level",
        ("test_bounds_and_ranks_by_hand", "test_intervals_hold_the_replicates"),
    ),
    Mutant(
        "skill is the log of the mean over the disc",
        "return np.asarray(mass @ np.log2(relative_density(intensity, area)))",
        "return np.log2(np.asarray(mass @ relative_density(intensity, area)))",
        ("test_gain_is_the_mean_over_where_the_incident_may_have_been",),
    ),
    Mutant(
        "the mean intensity counts cells, not area",
        "mean = float(np.average(intensity, weights=area))\n    return np.maximum(intensity",
        "mean = float(np.average(intensity))\n    return np.maximum(intensity",
        ("test_gain_counts_area_not_cells",),
    ),
    Mutant(
        "the top tenth of the area takes whole cells at its edge",
        "return np.clip(part, 0, 1)[group]",
        "return np.ceil(np.clip(part, 0, 1))[group]",
        ("test_top_area_takes_part_of_a_cell_and_part_of_a_tie",),
    ),
    Mutant(
        "overlapping test periods are drawn one by one",
        "drawn = _drawn_blocks(len(size), span, draws, seed)",
        "drawn = _drawn_blocks(len(size), 1, draws, seed)",
        ("test_overlapping_test_periods_widen_the_interval",),
    ),
    Mutant(
        "trust names the last reason",
        "np.select([extrapolates, sparse, edge], [EXTRAPOLATION, SPARSE, EDGE], OK)",
        "np.select([edge, sparse, extrapolates], [EDGE, SPARSE, EXTRAPOLATION], OK)",
        ("test_the_first_reason_wins_and_nothing_is_said_outside",),
    ),
    Mutant(
        "a rate per kilometre is a sum",
        "rate_per_km=per_year / length,",
        "rate_per_km=per_year,",
        ("test_hand_computed_table",),
    ),
    Mutant(
        "walking uphill is as fast as downhill",
        "FASTEST_SLOPE = -0.05",
        "FASTEST_SLOPE = 0.05",
        ("test_hand_computed_row_up_and_down",),
    ),
    Mutant(
        "rows of the grid run north",
        "return self.transform.f - (np.arange(self.shape[0]) + 0.5) * self.cell_size_m",
        "return self.transform.f + (np.arange(self.shape[0]) + 0.5) * self.cell_size_m",
        ("test_first_row_is_the_northernmost",),
    ),
    Mutant(
        "a stage comes from the cache although an input changed",
        '"inputs": dict(self.inputs),',
        '"inputs": sorted(self.inputs),',
        ("test_anything_that_differs_is_computed",),
    ),
    Mutant(
        "a stage comes from the cache although its code changed",
        '"code": code_version(*self.code),',
        '"code": sorted(self.code),',
        ("test_changed_code_is_computed_anew",),
    ),
)


@dataclass(frozen=True)
class Fate:
    """What became of a mutant."""

    mutant: Mutant
    said: str
    note: str
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table and the score; 1 if a mutant lives or cannot be planted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only mutants whose name holds one of these")
    parser.add_argument("--check", action="store_true", help="only look whether all can be planted")
    options = parser.parse_args(arguments)
    names = options.names
    chosen = [m for m in MUTANTS if not names or any(name in m.name for name in names)]
    with tempfile.TemporaryDirectory() as scratch:
        tree = _copy(Path(scratch) / "tree")
        fates = []
        for mutant in chosen:
            fates.append(fate := meet(mutant, tree, check=options.check))
            print(f"{fate.said:>7}  {mutant.name} ({fate.seconds:.0f} s) {fate.note}", flush=True)
    killed = sum(fate.said == KILLED for fate in fates)
    print(f"\n{killed} of {len(fates)} killed.")
    return int(any(fate.said in (ALIVE, ERROR) for fate in fates))


def meet(mutant: Mutant, tree: Path, *, check: bool = False) -> Fate:
    """Plant a mutant in a tree, run its tests, and take it out again."""
    start = time.perf_counter()

    def fate(said: str, note: str = "") -> Fate:
        return Fate(mutant, said, note, time.perf_counter() - start)

    try:
        file = _only(mutant.old, tree / "src" / "borderrisk")
        tests = [f"{_only(f'def {name}(', tree / 'tests')}::{name}" for name in mutant.tests]
    except LookupError as error:
        return fate(ERROR, str(error))
    if check:
        return fate("planted")
    if _run(tests, tree).returncode:
        return fate(ERROR, "its tests fail without it")
    before, times = file.read_bytes(), file.stat()
    file.write_text(before.decode().replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        done = _run(tests, tree)
    except subprocess.TimeoutExpired:
        return fate(KILLED, "(by the clock)")
    finally:
        file.write_bytes(before)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    if done.returncode == 1 and re.search(r"^FAILED|\d+ failed", done.stdout, re.MULTILINE):
        return fate(KILLED)
    return fate(ALIVE if done.returncode == 0 else ERROR, done.stdout[-300:].strip())


def _copy(tree: Path) -> Path:
    """Copy what mutants change; the rest of the project is only linked."""
    tree.mkdir()
    for name in ("src", "tests", "benchmarks"):
        shutil.copytree(ROOT / name, tree / name)
    for path in ROOT.iterdir():
        if not path.name.startswith(".") and not (tree / path.name).exists():
            (tree / path.name).symlink_to(path)
    return tree


def _only(text: str, folder: Path) -> Path:
    """Return the one file under a folder that holds a text, once."""
    found = [
        path
        for path in sorted(folder.rglob("*.py"))
        for _ in range(path.read_text(encoding="utf-8").count(text))
    ]
    if len(found) != 1:
        raise LookupError(f"stands {len(found)} times under {folder.name}: {text!r}")
    return found[0]


def _run(tests: Sequence[str], tree: Path) -> subprocess.CompletedProcess[str]:
    options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
        # The copy comes before the project as it is installed.
        env={**os.environ, "PYTHONPATH": str(tree / "src")},
    )


if __name__ == "__main__":
    sys.exit(main())
