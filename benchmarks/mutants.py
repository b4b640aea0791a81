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
        "weights *= land\n",
        "weights *= land > 0\n",
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
        "return _whole(panel.home(cells)[0], MIN_IN_STUDY)",
        "return _whole(panel.home(cells)[0], 1e-9)",
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
        "return np.asarray(np.clip(part, 0, 1)[group])",
        "return np.asarray(np.ceil(np.clip(part, 0, 1))[group])",
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
        "a cell's chance forgets that incidents cluster",
        "return -np.expm1(-size * np.log1p(np.asarray(expected) / size))",
        "return -np.expm1(-expected)",
        ("test_probability_allows_for_clustering",),
    ),
    Mutant(
        "a lesson knows what came of it",
        "known = self.past.before(start)",
        "known = self.past.before(end)",
        ("test_a_lesson_knows_nothing_of_what_it_is_about",),
    ),
    Mutant(
        "incidents never fade from the ground",
        "counts = evidence.counts(evidence.faded)",
        "counts = evidence.counts(evidence.weight)",
        ("test_the_ground_forgets_where_enough_is_left",),
    ),
    Mutant(
        "long half-lives fade fastest",
        "(weight * 0.5 ** (age / life)) for life",
        "(weight * 0.5 ** (age * life)) for life",
        ("test_earlier_incidents_fade_by_their_half_lives",),
    ),
    Mutant(
        "a half-life of a year is no recent one",
        '"recent" if t <= RECENT else "history"',
        '"recent" if t < RECENT else "history"',
        ("test_earlier_incidents_fade_by_their_half_lives",),
    ),
    Mutant(
        "a short record has no log-linear part",
        'return ("ground", "loglinear") if short else ("ground",)',
        'return ("ground",)',
        ("test_a_short_record_has_a_loglinear_part_besides",),
    ),
    Mutant(
        "weights have no prior",
        "new = share * (density.T @ told) + prior",
        "new = share * (density.T @ told)",
        ("test_weights_by_hand", "test_weights_are_the_posterior_mode"),
    ),
    Mutant(
        "a part that is zero everywhere keeps its share",
        "used = np.where(self.scale > 0, self.weights, 0.0)",
        "used = np.where(self.scale > -1, self.weights, 0.0)",
        ("test_a_part_that_is_zero_everywhere_gives_its_share_away",),
    ),
    Mutant(
        "a carried model remembers where it was made",
        "return Pool.make(self.settings, table, level, self.weights, memory, self.ground)",
        "return Pool.make(self.settings, table, level, self.weights, self.memory, self.ground)",
        ("test_carried_it_keeps_its_weights_and_ground_and_takes_the_other_places_past",),
    ),
    Mutant(
        "the sea takes incidents from the coast",
        "self._land[width_km] = self._smooth(self.cells.area_100km2, width_km)",
        "self._land[width_km] = self.cells.area_100km2",
        ("test_the_sea_takes_no_incidents_from_the_coast",),
    ),
    Mutant(
        "the level fades twice as fast as it says",
        "fading = np.log(2) / half_life",
        "fading = 2 * np.log(2) / half_life",
        ("test_incidents_fade_by_hand",),
    ),
    Mutant(
        "the level of a quarter has the memory of a year's",
        "origin, _HALF_LIFE * np.sqrt(_length(days))",
        "origin, _HALF_LIFE",
        ("test_the_memory_of_a_shorter_forecast_is_shorter",),
    ),
    Mutant(
        "the level counts incidents outside the study area",
        "counted = past.subset(inside >= MIN_IN_STUDY).incidents",
        "counted = past.incidents",
        ("test_an_incident_counts_by_its_confidence_and_only_inside",),
    ),
    Mutant(
        "an incident on the first day of a year belongs to the year before",
        "(self.age <= first) & (self.age > last)",
        "(self.age < first) & (self.age >= last)",
        ("test_a_period_has_the_day_it_begins_and_not_the_one_it_ends",),
    ),
    Mutant(
        "the scatter of totals has no prior",
        "score = -0.5 * (np.log(SIZES / usual) / _SIZE_SPREAD) ** 2",
        "score = np.zeros(len(SIZES))",
        ("test_the_size_follows_the_scatter",),
    ),
    Mutant(
        "an incident foretells itself in the choice of a bandwidth",
        "others = np.maximum(density[mass.col] - own, 0.0)",
        "others = np.maximum(density[mass.col], 0.0)",
        ("test_the_bandwidth_by_brute_force",),
    ),
    Mutant(
        "the last period is two periods long",
        "last = ending_between(past, step_back(origin, self.horizon_days, 1), origin)",
        "last = ending_between(past, step_back(origin, self.horizon_days, 2), origin)",
        ("test_last_period_forgets_what_was_before",),
    ),
    Mutant(
        "an interval may leave its own estimate out",
        "low, high = np.minimum(low, point), np.maximum(high, point)",
        "low, high = np.minimum(low, np.inf), np.maximum(high, -np.inf)",
        ("test_the_estimate_lies_within", "test_bounds_and_ranks_by_hand"),
    ),
    Mutant(
        "calibration makes intervals narrower",
        "wide = np.stack([np.minimum(low, plain[0]), middle, np.maximum(high, plain[2])])",
        "wide = np.stack([low, middle, high])",
        ("test_calibration_gives_each_its_level_and_is_never_narrower",),
    ),
    Mutant(
        "pilots have less contrast than the model",
        "return np.clip(exponents * ratio, 1.0, MOST_SHARPENED)",
        "return np.clip(exponents / ratio, 1.0, MOST_SHARPENED)",
        ("test_pilots_have_more_contrast_until_refits_have_the_models",),
    ),
    Mutant(
        "vague incidents beside a border left out are trained on",
        'train = distance > np.maximum(panel.incidents["radius_km"].to_numpy(float), buffer_km)',
        "train = distance > buffer_km",
        ("test_training_keeps_the_distance_of_the_buffer",),
    ),
    Mutant(
        "a run's evaluation sees incidents after its own origin",
        "return self.everything.before(self.origin)",
        "return self.everything",
        ("test_a_record_knows_nothing_after_its_origin",),
    ),
    Mutant(
        "a stage may read what it does not declare",
        'raise UndeclaredReadError(f"stage {self._of} reads {key}, which it does not declare")',
        "return getattr(self._tree, name)",
        ("test_reading_what_is_not_declared_raises",),
    ),
    Mutant(
        "intervals come from the cache whatever their level",
        'config=["uncertainty", "outputs.horizon_days", "seed"],',
        'config=["uncertainty.replicates", "outputs.horizon_days", "seed"],',
        ("test_the_level_of_the_intervals_is_in_their_key",),
    ),
    Mutant(
        "a river is a road to the cache",
        'f"{role} {number} {path.name}": self.cache.hashes(path)',
        'f"{number} {path.name}": self.cache.hashes(path)',
        ("test_the_same_file_in_another_role_is_another_key",),
    ),
    Mutant(
        "a stage comes from the cache although its code changed",
        '"code": code_version(self.code),',
        '"code": sorted(self.code),',
        ("test_changed_code_is_computed_anew",),
    ),
    Mutant(
        "a damaged stage is read from the cache",
        'if not kept or _contents(entry) != kept["files"]:',
        "if not kept:",
        ("test_a_damaged_entry_is_computed_again_with_a_warning",),
    ),
    Mutant(
        "a file is written where the older one lies",
        'partial = place / f"output{path.suffix}".replace("!", "_")',
        "partial = path",
        ("test_a_file_is_replaced_only_when_the_new_one_is_whole",),
    ),
    Mutant(
        "a file is written through a link",
        "if path.is_symlink():\n        raise OutputError(",
        "if path.is_symlink() and not path.exists():\n        raise OutputError(",
        ("test_nothing_is_written_through_a_symbolic_link",),
    ),
    Mutant(
        "a place known to 25 km is taken for one known to 50",
        '"where_prec": {"1": 5, "2": 25, "3": 50, "4": 150, "5": 50},',
        '"where_prec": {"1": 5, "2": 50, "3": 50, "4": 150, "5": 50},',
        ("test_where_prec_becomes_a_radius",),
    ),
    Mutant(
        "feet are metres",
        'METRES_PER_UNIT = {"m": 1.0, "ft": 0.3048}',
        'METRES_PER_UNIT = {"m": 1.0, "ft": 1.0}',
        ("test_feet_become_metres",),
    ),
    Mutant(
        "swapped coordinates are read as they are",
        "swapped[known].mean() > 0.5 > as_is[known].mean()",
        "swapped[known].mean() > 1.5 > as_is[known].mean()",
        ("test_swapped_columns_are_recognised",),
    ),
    Mutant(
        "doubtful incidents weigh as much as sure ones",
        '"weight": level.map(CONFIDENCE_WEIGHT),',
        '"weight": 1.0,',
        ("test_confidence_weighs",),
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
        sound = options.check or _sound(chosen, tree)
        for mutant in chosen:
            fates.append(fate := meet(mutant, tree, check=options.check, sound=sound))
            print(f"{fate.said:>7}  {mutant.name} ({fate.seconds:.0f} s) {fate.note}", flush=True)
    killed = sum(fate.said == KILLED for fate in fates)
    print(f"\n{killed} of {len(fates)} killed.")
    return int(any(fate.said in (ALIVE, ERROR) for fate in fates))


def _sound(mutants: Sequence[Mutant], tree: Path) -> bool:
    """Whether the tests of all mutants pass without any; found in one go."""
    try:
        tests = dict.fromkeys(test for mutant in mutants for test in _tests(mutant, tree))
    except LookupError:
        return False
    return not _run([*tests], tree, timeout=None).returncode


def _tests(mutant: Mutant, tree: Path) -> list[str]:
    return [f"{_only(f'def {name}(', tree / 'tests')}::{name}" for name in mutant.tests]


def meet(mutant: Mutant, tree: Path, *, check: bool = False, sound: bool = False) -> Fate:
    """Plant a mutant in a tree, run its tests, and take it out again.

    Unless they are known to be ``sound``, they have to pass without it first.
    """
    start = time.perf_counter()

    def fate(said: str, note: str = "") -> Fate:
        return Fate(mutant, said, note, time.perf_counter() - start)

    try:
        file = _only(mutant.old, tree / "src" / "borderrisk")
        tests = _tests(mutant, tree)
    except LookupError as error:
        return fate(ERROR, str(error))
    if check:
        return fate("planted")
    if not sound and _run(tests, tree).returncode:
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


def _run(
    tests: Sequence[str], tree: Path, timeout: float | None = _TIMEOUT_S
) -> subprocess.CompletedProcess[str]:
    options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        # The copy comes before the project as it is installed.
        env={**os.environ, "PYTHONPATH": str(tree / "src")},
    )


if __name__ == "__main__":
    sys.exit(main())
