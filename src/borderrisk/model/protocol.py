"""One door to every model: settings that fit, fitted models that speak."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Protocol,
    TypeAlias,
    TypeVar,
    get_type_hints,
    runtime_checkable,
)

import geopandas as gpd
import numpy as np
import pandas as pd
from pydantic import Field, TypeAdapter, ValidationError

from borderrisk.compute import one_thread
from borderrisk.errors import ConfigError, DataError
from borderrisk.model.cells import CellTable, as_cells
from borderrisk.model.level import Level
from borderrisk.model.panel import Panel, as_panel

# Types of parameters. Text is no number, whatever it says.
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
Proportion = Annotated[float, Field(ge=0, le=1, strict=True)]
Count = Annotated[int, Field(ge=1, strict=True)]
# What the intensity is made of; the parts of every model have these names and sum to it.
PARTS = ("history", "recent", "ground", "even")
Role = Literal["model", "baseline"]
Memo: TypeAlias = MutableMapping[Any, Any]
Cells: TypeAlias = CellTable | gpd.GeoDataFrame
Incidents: TypeAlias = Panel | gpd.GeoDataFrame
S = TypeVar("S", bound="Settings")


@runtime_checkable
class Fitted(Protocol):
    """A fitted model.

    ``settings`` has every choice of the fit filled in: ``settings.fit`` refits and chooses nothing.
    """

    @property
    def settings(self) -> Settings:
        """As fitted."""

    @property
    def level(self) -> Level:
        """The incidents to expect in the whole study area."""

    def intensity(self, cells: Cells) -> np.ndarray:
        """Return the expected incidents per 100 km² per year, shape (cells,)."""

    def parts(self, cells: Cells) -> dict[str, np.ndarray]:
        """Return what each of ``PARTS`` contributes to the intensity; they sum to it."""

    def susceptibility(self, cells: Cells) -> np.ndarray:
        """Return the intensity if the ground alone decided, shape (cells,)."""

    def drivers(self, cells: Cells, rows: np.ndarray | None = None) -> pd.DataFrame:
        """Effects of the features, and of ``history``, on log-intensity.

        Returns
        -------
        pandas.DataFrame, shape (cells, features + history)
            Rows sum to the log-intensity less its mean over the study area; no columns where a
            model knows no features.
        """

    def carried(self, cells: Cells, incidents: Incidents, origin: Any) -> Fitted:
        """Return the same model at another place: its own weights and ground, the other's past."""

    def facts(self) -> dict[str, Any]:
        """Return what the fit chose, JSON-ready."""

    def state(self) -> dict[str, Any]:
        """Return plain values and estimators from which the registry makes it again."""


@dataclass(frozen=True)
class Settings:
    """Parameters of a model, typed; a frozen dataclass for each.

    ``horizon_days`` is the length of the forecast; what is learned from the past is learned on
    periods like it. ``name`` and ``role`` are as entered by :func:`model`; ``needs_incidents`` says
    whether there must be an incident before the origin.
    """

    horizon_days: Count = 365

    name: ClassVar[str]
    role: ClassVar[Role]
    needs_incidents: ClassVar[bool] = True

    def fit(
        self,
        cells: Cells,
        incidents: Incidents,
        origin: Any,
        seed: int = 0,
        memo: Memo | None = None,
    ) -> Fitted:
        """Fit on what was known at an origin.

        Parameters
        ----------
        cells : CellTable or geopandas.GeoDataFrame
            Cells of the domain (:func:`borderrisk.model.cells.as_cells`).
        incidents : Panel or geopandas.GeoDataFrame
            Incidents; only those that ended before the origin are used. A table needs ``date``.
        origin : date
            Date of the forecast.
        seed : int
            Of whatever is drawn.
        memo : dict, optional
            Shares work between fits of other origins, models and parameters. It belongs to one
            pair of cells and incidents: never hand it on to others.

        Raises
        ------
        DataError
            If no incident lies before the origin, or the cells lack a column.
        """
        try:
            day = pd.Timestamp(origin)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"The origin must be a date like 2025-01-01 (got {origin!r})."
            ) from error
        table, _ = as_cells(cells)
        panel = as_panel(incidents, table)
        past = require_past(panel, day) if self.needs_incidents else panel.before(day)
        lacking = self.lacking(table)
        if lacking:
            raise DataError(f"{self.name} needs {lacking}, which the cells do not have.")
        with one_thread():
            return self.learn(table, past, day, seed, {} if memo is None else memo)

    def learn(
        self, cells: CellTable, past: Panel, origin: pd.Timestamp, seed: int, memo: Memo
    ) -> Fitted:
        """Fit on incidents that all lie before the origin."""
        raise NotImplementedError

    def remember(self, cells: CellTable, past: Panel, origin: pd.Timestamp) -> tuple[Any, ...]:
        """Earlier incidents as the model remembers them, a tuple of ``pool.Memory``."""
        return ()

    def lacking(self, cells: CellTable) -> str:
        """Columns that the model needs and the cells do not have, in words; or nothing."""
        return ""

    def values(self) -> dict[str, Any]:
        """Return the parameters by name."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}


MODELS: dict[str, type[Settings]] = {}


def model(name: str, role: Role = "model") -> Callable[[type[S]], type[S]]:
    """Make a class of settings a frozen dataclass and enter it under a name."""

    def enter(cls: type[S]) -> type[S]:
        cls.name, cls.role = name, role
        MODELS[name] = dataclass(frozen=True)(cls)
        return MODELS[name]  # type: ignore[return-value]

    return enter


def checked(cls: type[S], parameters: Mapping[str, Any]) -> S:
    """Make settings of parameters; ``ConfigError`` if one is unknown or its value cannot be."""
    hints = get_type_hints(cls, include_extras=True)
    known = [f.name for f in dataclasses.fields(cls)]
    found = {}
    for key, value in parameters.items():
        if key not in known:
            raise ConfigError(f"Model {cls.name} has no parameter {choices(key, known)}")
        plain = value.item() if isinstance(value, np.generic) else value
        try:
            found[key] = TypeAdapter(
                hints[key], config={"arbitrary_types_allowed": True}
            ).validate_python(plain)
        except ValidationError as error:
            reasons = " or ".join(dict.fromkeys(str(one["msg"]) for one in error.errors()))
            raise ConfigError(
                f"Parameter {key} of model {cls.name}: {reasons[:1].lower()}{reasons[1:]} "
                f"(got {value!r})."
            ) from None
    return cls(**found)


def require_past(panel: Panel, origin: pd.Timestamp, least: int = 1) -> Panel:
    """Return the incidents before an origin; ``DataError`` if there are fewer than ``least``."""
    past = panel.before(origin)
    if len(past) < least:
        raise DataError(
            f"Origin {origin:%Y-%m-%d} has {len(past)} incident(s) before it, at least {least} "
            f"needed; choose a later origin{' or lower min_past_incidents' if least > 1 else ''}."
        )
    return past


def choices(given: str, known: Iterable[str]) -> str:
    """Quote an unknown name, with the nearest known one and all of them."""
    names = [str(name) for name in known]
    near = difflib.get_close_matches(str(given), names, n=1)
    hint = f" did you mean {near[0]!r}?" if near else ""
    return f"{given!r};{hint} choose from {', '.join(names)}."
