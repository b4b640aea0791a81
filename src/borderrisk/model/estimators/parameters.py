"""Types of the estimators' parameters, and a check of given ones against them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, get_type_hints

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from borderrisk.errors import ConfigError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]
Proportion = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
WholeNumber = Annotated[int, Field(ge=0)]
# Folds of a cross-validation, and leaves of a tree: one would be no choice.
Several = Annotated[int, Field(ge=2)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


def checked(name: str, factory: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Check the arguments of an estimator against the types of its parameters.

    Raises
    ------
    ConfigError
        If there is no such parameter, or its value cannot be.
    """
    accepted = inspect.signature(factory).parameters
    hints = get_type_hints(factory.__init__, include_extras=True)  # type: ignore[misc]
    for key, value in given.items():
        if key not in accepted:
            raise ConfigError(f"Estimator {name} has no parameter {choices(key, accepted)}")
        plain = value.item() if isinstance(value, np.generic) else value
        try:
            TypeAdapter(hints[key]).validate_python(plain, strict=True)
        except ValidationError as error:
            reasons = " or ".join(dict.fromkeys(str(one["msg"]) for one in error.errors()))
            raise ConfigError(
                f"Parameter {key} of estimator {name}: {reasons[:1].lower()}{reasons[1:]} "
                f"(got {value!r})."
            ) from None


def choices(given: str, known: Iterable[str]) -> str:
    """Quote an unknown name, with the nearest known one and all of them."""
    names = [str(name) for name in known]
    if not names:
        return f"{given!r}; it takes none."
    near = difflib.get_close_matches(str(given), names, n=1)
    hint = f" did you mean {near[0]!r}?" if near else ""
    return f"{given!r};{hint} choose from {', '.join(names)}."
