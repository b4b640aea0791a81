"""The forms that are compared: the shipped one, and others that differ from it in one thing."""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np
import pandas as pd
from borderrisk.model.pooled_fit import HISTORY_KM, PRIOR, RECENT_DAYS
from borderrisk.model.pooled_parts import best_bandwidth, years_before

from benchmarks.studies.moments import (
    BOOSTING,
    FOREST,
    GAM,
    GLM,
    MONOTONE,
    REACH_KM,
    TREES,
    Fitting,
    Moment,
)
from benchmarks.studies.pooling import Pair, Parts, Recipe

SHIPPED = "as shipped"
HALF_LIVES = (2.0, 5.0, 10.0)
NEAREST_KINDS = ("border_clash", "smuggling_clash")
SHARPER = {1.0: 1.0, 0.7: 0.5, 0.4: 0.16}
DRAWS = 10
FITTINGS = {
    "mass not moved within discs": Fitting(moving=False),
    "features not chosen": Fitting(choosing=False),
    "log-linear model not held": Fitting(held=False),
    "one penalty for all features": Fitting(apart=False),
    "one penalty, features not chosen": Fitting(apart=False, choosing=False),
}
_SHORT_DAYS = 90.0
_EFFORT_KM, _EFFORT_FLOOR = 60.0, 0.1
_FIFTH_PRIOR = 0.5


def pairs(glm: str = GLM, forest: str = FOREST) -> tuple[Pair, ...]:
    """Return what the shipped form chooses from, the usual first; perhaps with other models."""
    models = ((glm, forest), (glm,), (forest,))
    return tuple(Pair(*pair) for pair in product(HISTORY_KM, models))


def shipped(moment: Moment, pair: Pair) -> np.ndarray:
    """History, recent history, susceptibility and the even share."""
    return _weighted(moment, pair, "shipped", np.ones(len(moment.past)))


def _stack(history: np.ndarray, recent: np.ndarray, here: np.ndarray) -> np.ndarray:
    return np.column_stack([history, recent, here, np.ones(len(history))])


def _weighted(
    moment: Moment, pair: Pair, key: str, factor: np.ndarray, *, history_only: bool = False
) -> np.ndarray:
    """Return the shipped parts with the weights of the incidents multiplied."""
    kept = "shipped" if history_only else key
    here = moment.weight * moment.first * (1.0 if history_only else factor)
    return _stack(
        _history(moment, pair, key, factor),
        _recent(moment, pair, RECENT_DAYS),
        moment.susceptibility(pair.models, kept, here),
    )


def _history(moment: Moment, pair: Pair, key: str, factor: np.ndarray | float) -> np.ndarray:
    width = pair.bandwidth_km
    return moment.history((key, width), moment.weight * factor, moment.sigma(width))


def _recent(moment: Moment, pair: Pair, days: float) -> np.ndarray:
    since = moment.origin - pd.Timedelta(days=days)
    inside = (moment.past.incidents["date"] >= since).to_numpy(float)
    return _history(moment, pair, f"last {days:g}", inside)


def _decayed(
    moment: Moment, pair: Pair, half_life: float, *, history_only: bool = False
) -> np.ndarray:
    age = years_before(moment.origin, moment.past.incidents["date"])
    factor = 0.5 ** (age / half_life)
    return _weighted(moment, pair, f"half-life {half_life:g}", factor, history_only=history_only)


def _kde(moment: Moment, key: str, factor: np.ndarray | float) -> np.ndarray:
    best = moment.once("bandwidth", lambda: best_bandwidth(moment.cells, moment.past))
    width = np.full(len(moment.past), best)
    return moment.history((key, "kde"), moment.weight * factor, width)


def _one_bandwidth(moment: Moment, pair: Pair) -> np.ndarray:
    since = moment.origin - pd.Timedelta(days=RECENT_DAYS)
    inside = (moment.past.incidents["date"] >= since).to_numpy(float)
    parts = shipped(moment, pair)
    return _stack(_kde(moment, "all", 1.0), _kde(moment, "recent", inside), parts[:, 2])


def _kde_too(moment: Moment, pair: Pair) -> np.ndarray:
    return np.column_stack([shipped(moment, pair), _kde(moment, "all", 1.0)])


def _shorter(moment: Moment, pair: Pair) -> np.ndarray:
    parts = shipped(moment, pair)
    return _stack(parts[:, 0], _recent(moment, pair, _SHORT_DAYS), parts[:, 2])


def _without(moment: Moment, pair: Pair, part: int) -> np.ndarray:
    return np.delete(shipped(moment, pair), part, axis=1)


def _by_kind(moment: Moment, pair: Pair) -> np.ndarray:
    near = moment.past.incidents["kind"].isin(NEAREST_KINDS)
    return _weighted(moment, pair, "kind", np.where(near, 1.0, 0.5))


def _by_confidence(moment: Moment, pair: Pair, key: str, weights: dict[float, float]) -> np.ndarray:
    wanted = [weights.get(round(float(own), 3), 1.0) for own in moment.weight]
    return _weighted(moment, pair, key, np.array(wanted) / moment.weight)


def _with_here(moment: Moment, pair: Pair, here: np.ndarray) -> np.ndarray:
    parts = shipped(moment, pair)
    return _stack(parts[:, 0], parts[:, 1], here)


def _target_group(moment: Moment, pair: Pair, effort: str, *, multiplied: bool) -> np.ndarray:
    """Background by reporting effort; the forecast has the effort in it again, or not."""
    if effort == "people":
        around = moment.cells.x["population_potential"].to_numpy(float)
    else:
        wide = np.full(len(moment.past), _EFFORT_KM)
        around = moment.history("effort", moment.weight, wide)
    around = (1 - _EFFORT_FLOOR) * moment.relative(around) + _EFFORT_FLOOR
    exposure = moment.cells.area_100km2 * around
    here = moment.susceptibility(pair.models, effort, moment.weight * moment.first, exposure)
    return _with_here(moment, pair, moment.relative(here * around) if multiplied else here)


def _apart(moment: Moment, pair: Pair) -> np.ndarray:
    """Susceptibility in two parts: where something was reported before, and where nothing was."""
    parts = shipped(moment, pair)
    new = 1 / (1 + moment.around(REACH_KM))
    two = [moment.relative(parts[:, 2] * share) for share in (new, 1 - new)]
    return np.column_stack([parts[:, 0], parts[:, 1], *two, parts[:, 3]])


def _fitted(moment: Moment, pair: Pair, how: Fitting) -> np.ndarray:
    found = moment.susceptibility(pair.models, "shipped", moment.weight * moment.first, how=how)
    return _with_here(moment, pair, found)


def _all_occurrences(moment: Moment, pair: Pair) -> np.ndarray:
    return _with_here(moment, pair, moment.susceptibility(pair.models, "all", moment.weight))


def _models(moment: Moment, pair: Pair, models: tuple[str, ...]) -> np.ndarray:
    return shipped(moment, Pair(pair.bandwidth_km, models))


def _bagged(moment: Moment, pair: Pair) -> np.ndarray:
    """Mean of fits on places drawn from the incidents' discs.

    Over many draws the history would be the shipped one again, so only the fits are drawn.
    """

    def work() -> np.ndarray:
        rng = np.random.default_rng([moment.seed, moment.origin.toordinal()])
        return np.mean([_drawn(moment, pair, rng) for _ in range(DRAWS)], axis=0)

    return _with_here(moment, pair, moment.once(("bagged", pair.models), work))


def _drawn(moment: Moment, pair: Pair, rng: np.random.Generator) -> np.ndarray:
    own = Moment(moment.cells, moment.past.redraw(rng), moment.origin, int(rng.integers(2**31)))
    fewer = Fitting(trees=TREES // 4)
    return own.susceptibility(pair.models, "drawn", own.weight * own.first, how=fewer)


USUAL = Recipe(SHIPPED, (shipped,), pairs())


def recipes(*, incidents_differ: bool) -> list[Recipe]:
    """Return the shipped form and every other one.

    Parameters
    ----------
    incidents_differ : bool
        Whether the incidents have kinds and confidences; forms about them are left out if not.
    """
    found = [
        USUAL,
        *_about_history(),
        *_about_choices(),
        *_about_susceptibility(),
    ]
    return found + (_about_incidents() if incidents_differ else [])


def _about_history() -> list[Recipe]:
    ages = [partial(_decayed, half_life=years) for years in HALF_LIVES]
    late = [partial(_decayed, half_life=years, history_only=True) for years in HALF_LIVES]
    without = (*PRIOR[:1], *PRIOR[2:])
    return [
        _one("one bandwidth for all incidents", _one_bandwidth),
        Recipe("no recent history", (partial(_without, part=1),), prior=without),
        _one(f"recent history of {_SHORT_DAYS:g} days", _shorter),
        *(_one(f"half-life {h:g} years", f) for h, f in zip(HALF_LIVES, ages, strict=True)),
        Recipe("half-life chosen", (shipped, *ages)),
        Recipe("half-life chosen, history only", (shipped, *late)),
        Recipe("KDE as a fifth part", (_kde_too,), prior=(*PRIOR, _FIFTH_PRIOR)),
    ]


def _about_choices() -> list[Recipe]:
    return [
        Recipe("nothing chosen but weights", (shipped,), pairs()[:1]),
        Recipe("chosen on weak evidence, too", (shipped,), pairs(), lead=0.0),
        Recipe("chosen by soft counts", (shipped,), pairs(), compare="cells"),
        Recipe("weights by likelihood of reports", (shipped,), pool="by report"),
        Recipe("weights not learned", (shipped,), pool="fixed"),
        Recipe("no even share", (partial(_without, part=3),), prior=PRIOR[:3]),
        Recipe("log-linear pool", (shipped,), pool="geometric"),
    ]


def _about_susceptibility() -> list[Recipe]:
    halves = (*PRIOR[:2], PRIOR[2] / 2, PRIOR[2] / 2, PRIOR[3])
    effort = [
        _one(
            f"background by {by}, {'offset' if back else 'by area'}",
            partial(_target_group, effort=by, multiplied=back),
        )
        for by in ("people", "reports")
        for back in (False, True)
    ]
    return [
        Recipe("susceptibility weighted apart at new places", (_apart,), prior=halves),
        *(_one(name, partial(_fitted, how=how)) for name, how in FITTINGS.items()),
        _one("no thinning to first occurrences", _all_occurrences),
        _one("glm alone", partial(_models, models=(GLM,))),
        _one("forest alone", partial(_models, models=(FOREST,))),
        Recipe("gam for the glm", (shipped,), pairs(glm=GAM)),
        Recipe("boosting for the forest, free", (shipped,), pairs(forest=BOOSTING)),
        Recipe("boosting for the forest, monotone", (shipped,), pairs(forest=MONOTONE)),
        *effort,
        _one("bagged over drawn places", _bagged),
    ]


def _about_incidents() -> list[Recipe]:
    sharper = partial(_by_confidence, key="sharper", weights=SHARPER)
    return [
        _one("kinds far from crossing count half", _by_kind),
        _one("confidence not counted", partial(_by_confidence, key="equal", weights={})),
        _one("confidence counted more", sharper),
    ]


def _one(name: str, parts: Parts) -> Recipe:
    return Recipe(name, (parts,))
