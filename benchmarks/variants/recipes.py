"""The forms that are compared: the shipped one, and others that differ from it in one thing."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from benchmarks.variants.moments import TREES, Moment, susceptibility
from benchmarks.variants.pooling import Parts, Recipe
from borderrisk.model.pooled import PRIOR
from borderrisk.model.pooled_parts import best_bandwidth, years_before

SHIPPED = "as shipped"
NEAREST_KINDS = ("border_clash", "smuggling_clash")
HALF_LIVES = (2.0, 5.0, 10.0)
NEAR_REPEAT_DAYS = (90, 365)
SHARPER = {1.0: 1.0, 0.7: 0.5, 0.4: 0.16}
DRAWS = 10
_EFFORT_KM, _EFFORT_FLOOR = 60.0, 0.1
_FOURTH_PRIOR = 0.5
# Nearer to a border or to a settlement never lowers the risk.
_FALLING = ("border_distance", "settlement_distance", "hours_from_border")


def _stack(*parts: np.ndarray) -> np.ndarray:
    return np.column_stack([*parts, np.ones(len(parts[0]))])


def shipped(moment: Moment) -> np.ndarray:
    """History, susceptibility and the even share of the shipped model."""
    return _weighted(moment, "shipped", np.ones(len(moment.past)))


def _weighted(
    moment: Moment, key: str, factor: np.ndarray, *, history_only: bool = False
) -> np.ndarray:
    """Return the shipped parts with the weights of the incidents multiplied."""
    weight = moment.weight * factor
    here = moment.weight * moment.first * (1.0 if history_only else factor)
    return _stack(
        moment.history(key, weight, moment.sigma),
        susceptibility(moment, "shipped" if history_only else key, here),
    )


def _decayed(moment: Moment, half_life: float, *, history_only: bool = False) -> np.ndarray:
    age = years_before(moment.origin, moment.past.incidents["date"])
    key = f"half-life {half_life:g}"
    return _weighted(moment, key, 0.5 ** (age / half_life), history_only=history_only)


def _kde(moment: Moment) -> np.ndarray:
    best = moment.once("bandwidth", lambda: best_bandwidth(moment.cells, moment.past))
    return moment.history("kde", moment.weight, np.full(len(moment.past), best))


def _one_bandwidth(moment: Moment) -> np.ndarray:
    return _stack(_kde(moment), shipped(moment)[:, 1])


def _kde_too(moment: Moment) -> np.ndarray:
    return np.column_stack([shipped(moment), _kde(moment)])


def _near_repeat(moment: Moment, days: int) -> np.ndarray:
    since = moment.origin - pd.Timedelta(days=days)
    recent = (moment.past.incidents["date"] >= since).to_numpy(float)
    again = moment.history(f"last {days}", moment.weight * recent, moment.sigma)
    return np.column_stack([shipped(moment), again])


def _by_kind(moment: Moment) -> np.ndarray:
    near = moment.past.incidents["kind"].isin(NEAREST_KINDS)
    return _weighted(moment, "kind", np.where(near, 1.0, 0.5))


def _by_confidence(moment: Moment, key: str, weights: dict[float, float]) -> np.ndarray:
    own = moment.weight
    wanted = np.array([weights.get(round(float(w), 3), 1.0) for w in own])
    return _weighted(moment, key, wanted / own)


def _target_group(moment: Moment, effort: str, *, multiplied: bool) -> np.ndarray:
    """Background by reporting effort; the forecast has the effort in it again, or not."""
    if effort == "people":
        around = moment.cells.x["population_potential"].to_numpy(float)
    else:
        wide = np.full(len(moment.past), _EFFORT_KM)
        around = moment.history("effort", moment.weight, wide)
    around = (1 - _EFFORT_FLOOR) * moment.relative(around) + _EFFORT_FLOOR
    exposure = moment.cells.area_100km2 * around
    here = susceptibility(moment, effort, moment.weight * moment.first, exposure)
    if multiplied:
        here = moment.relative(here * around)
    return _stack(shipped(moment)[:, 0], here)


def _models(moment: Moment, models: tuple[str, ...]) -> np.ndarray:
    weight = moment.weight * moment.first
    return _stack(shipped(moment)[:, 0], susceptibility(moment, "shipped", weight, models=models))


def _boosting(moment: Moment, *, monotone: bool) -> np.ndarray:
    weight, given = moment.weight * moment.first, {}
    if monotone:
        names = [n for n in moment.cells.features if n.startswith(_FALLING)]
        given = {"monotone": dict.fromkeys(names, -1)}
    key = "monotone" if monotone else "free"
    both = [
        moment.fitted("glm", "shipped", weight),
        moment.fitted("hist_gradient_boosting", key, weight, None, given),
    ]
    here = np.exp(np.mean([np.log(np.maximum(part, 1e-300)) for part in both], axis=0))
    return _stack(shipped(moment)[:, 0], moment.relative(here))


def _bagged(moment: Moment) -> np.ndarray:
    """Mean of fits on places drawn from the incidents' discs.

    Over many draws the history would be the shipped one again, so only the fits are drawn.
    """

    def work() -> np.ndarray:
        rng = np.random.default_rng([moment.seed, moment.origin.toordinal()])
        return np.mean([_drawn(moment, rng) for _ in range(DRAWS)], axis=0)

    return _stack(shipped(moment)[:, 0], moment.once("bagged", work))


def _drawn(moment: Moment, rng: np.random.Generator) -> np.ndarray:
    own = Moment(moment.cells, moment.past.redraw(rng), moment.origin, int(rng.integers(2**31)))
    weight = own.weight * own.first
    glm = own.fitted("glm", "drawn", weight)
    forest = own.fitted("random_forest", "drawn", weight, None, {"n_estimators": TREES // 4})
    return own.relative(np.sqrt(np.maximum(glm, 1e-300) * np.maximum(forest, 1e-300)))


def _all_occurrences(moment: Moment) -> np.ndarray:
    return _stack(shipped(moment)[:, 0], susceptibility(moment, "all", moment.weight))


def _not_even(moment: Moment) -> np.ndarray:
    return shipped(moment)[:, :2]


def recipes(*, incidents_differ: bool) -> list[Recipe]:
    """Return the shipped form and every other one.

    Parameters
    ----------
    incidents_differ : bool
        Whether the incidents have kinds and confidences; forms about them are left out if not.
    """
    one = _single
    ages = [partial(_decayed, half_life=years) for years in HALF_LIVES]
    late = [partial(_decayed, half_life=years, history_only=True) for years in HALF_LIVES]
    found = [
        one(SHIPPED, shipped),
        one("one bandwidth for the history", _one_bandwidth),
        *(one(f"half-life {h:g} years", f) for h, f in zip(HALF_LIVES, ages, strict=True)),
        Recipe("half-life learned", (shipped, *ages)),
        Recipe("half-life learned, history only", (shipped, *late)),
        *(
            Recipe(
                f"near-repeat part, {days} days",
                (partial(_near_repeat, days=days),),
                (*PRIOR, _FOURTH_PRIOR),
            )
            for days in NEAR_REPEAT_DAYS
        ),
        Recipe("KDE as a fourth part", (_kde_too,), (*PRIOR, _FOURTH_PRIOR)),
        Recipe("log-linear pool", (shipped,), pool="geometric"),
        Recipe("weights not learned", (shipped,), pool="fixed"),
        Recipe("no even share", (_not_even,), PRIOR[:2]),
        one("no thinning to first occurrences", _all_occurrences),
        one("glm alone", partial(_models, models=("glm",))),
        one("forest alone", partial(_models, models=("random_forest",))),
        one("gam for the glm", partial(_models, models=("gam", "random_forest"))),
        one("boosting for the forest, free", partial(_boosting, monotone=False)),
        one("boosting for the forest, monotone", partial(_boosting, monotone=True)),
        *(
            one(
                f"background by {effort}, {'offset' if back else 'by area'}",
                partial(_target_group, effort=effort, multiplied=back),
            )
            for effort in ("people", "reports")
            for back in (False, True)
        ),
        one("bagged over drawn places", _bagged),
    ]
    if incidents_differ:
        sharper = partial(_by_confidence, key="sharper", weights=SHARPER)
        found += [
            one("kinds far from crossing count half", _by_kind),
            one("confidence not counted", partial(_by_confidence, key="equal", weights={})),
            one("confidence counted more", sharper),
        ]
    return found


def _single(name: str, parts: Parts) -> Recipe:
    return Recipe(name, (parts,))
