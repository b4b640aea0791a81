"""What a fit chose by itself: to be told, and to be kept in refits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from borderrisk.model.fitting import SpatialModel
from borderrisk.model.pooled import Pooled

_CHOSEN = (
    "weights_", "alpha_", "bandwidth_km", "bandwidth_km_", "models_", "features_", "mean_rate_",
    "n_iter_",
)  # fmt: skip


def facts(estimator: Any) -> dict[str, Any]:
    """Return what a fitted estimator chose, as far as it says."""
    return {
        name.rstrip("_"): getattr(estimator, name) for name in _CHOSEN if hasattr(estimator, name)
    }


def frozen(model: SpatialModel, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the parameters with what the full fit chose, so that a refit need not choose again."""
    given, estimator = dict(parameters or {}), model.estimator
    if isinstance(estimator, Pooled):
        names = ("bandwidth_km", "models", "features", "alpha")
        return given | {name: getattr(estimator, f"{name}_") for name in names}
    if hasattr(estimator, "alpha_"):
        return given | {"alpha": estimator.alpha_}
    if hasattr(estimator, "n_iter_") and hasattr(estimator, "n_folds"):
        return given | {"max_iter": estimator.n_iter_, "n_folds": 0}
    if hasattr(estimator, "bandwidth_km"):
        return given | {"bandwidth_km": estimator.bandwidth_km}
    return given
