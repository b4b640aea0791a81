"""Every model by its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from borderrisk.errors import ConfigError
from borderrisk.model import baselines  # noqa: F401  (its models, and the main one, enter)
from borderrisk.model.cells import CellTable
from borderrisk.model.pool import Pool
from borderrisk.model.protocol import MODELS, Fitted, Role, Settings, checked, choices


def models(role: Role | None = None) -> list[str]:
    """Return the names of all models, or of those with a role.

    Examples
    --------
    >>> models("model")
    ['decayed_pool', 'random_forest', 'glm']
    """
    return [name for name, cls in MODELS.items() if role in (None, cls.role)]


def settings(name: str, parameters: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings of a model by its name in the config.

    ``ConfigError`` if the name or a parameter is unknown (the message names the choices), or a
    value cannot be.
    """
    if name not in MODELS:
        raise ConfigError(f"Unknown model {choices(name, MODELS)}")
    return checked(MODELS[name], parameters or {})


def usable(
    names: Iterable[str], cells: CellTable, horizon_days: int, **given: Mapping[str, Any]
) -> dict[str, Settings]:
    """Return the settings of those models that the columns of the cells are enough for.

    Parameters of some models may be ``given`` by their name.
    """
    found = {name: settings(name, {"horizon_days": horizon_days, **given.get(name, {})})
             for name in dict.fromkeys(names)}  # fmt: skip
    return {name: own for name, own in found.items() if not own.lacking(cells)}


def make_model(name: str, /, **parameters: Any) -> Settings:
    """Return a model, to be fitted with ``fit(cells, incidents, origin)``.

    Examples
    --------
    >>> make_model("kde", bandwidth_km=30).bandwidth_km
    30.0
    """
    return settings(name, parameters)


def opened(state: Mapping[str, Any]) -> Fitted:
    """Return the fitted model of a :func:`packed` state."""
    return Pool.opened(settings(state["model"], state["settings"]), dict(state))


def packed(fitted: Fitted) -> dict[str, Any]:
    """Return a fitted model as plain values and estimators, for a file."""
    return {"model": fitted.settings.name, **fitted.state()}
