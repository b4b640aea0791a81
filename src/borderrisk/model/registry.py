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
    Cells are squares in a GeoDataFrame, whose columns of numbers are features; incidents are dated
    points, here one a month in the north-east corner.

    >>> import geopandas as gpd, numpy as np, pandas as pd, shapely
    >>> column, row = np.divmod(np.arange(100), 10)
    >>> x, y = column * 10_000, row * 10_000
    >>> squares = shapely.box(x, y, x + 10_000, y + 10_000)
    >>> cells = gpd.GeoDataFrame({"slope": column}, geometry=squares, crs="EPSG:32641")
    >>> dates = pd.date_range("2019-01-15", "2023-12-15", freq="MS")
    >>> places = gpd.points_from_xy([95_000] * len(dates), [95_000] * len(dates))
    >>> incidents = gpd.GeoDataFrame({"date": dates}, geometry=places, crs="EPSG:32641")
    >>> fitted = make_model("decayed_pool").fit(cells, incidents, "2024-01-01")
    >>> int(fitted.intensity(cells).argmax()), round(fitted.level.mean)
    (99, 11)

    The ground is explained by a forest, by none, or by a scikit-learn regressor.

    >>> from sklearn.linear_model import PoissonRegressor
    >>> own = make_model("decayed_pool", ground=PoissonRegressor())
    >>> list(own.fit(cells, incidents, "2024-01-01").parts(cells))
    ['history', 'recent', 'ground', 'even']
    """
    return settings(name, parameters)


def opened(state: Mapping[str, Any]) -> Fitted:
    """Return the fitted model of a :func:`packed` state."""
    return Pool.opened(settings(state["model"], state["settings"]), dict(state))


def packed(fitted: Fitted) -> dict[str, Any]:
    """Return a fitted model as plain values and estimators, for a file."""
    return {"model": fitted.settings.name, **fitted.state()}
