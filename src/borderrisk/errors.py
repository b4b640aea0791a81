"""The errors a user can cause, each with the exit code the command line gives it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class BorderRiskError(Exception):
    """Base of every expected failure; the command line prints it without a traceback.

    Messages say what was wrong, where, and how to mend it.
    """

    exit_code = 1


class ConfigError(BorderRiskError):
    """The config file or the command's arguments cannot be used as they are."""

    exit_code = 2


class DataError(BorderRiskError):
    """An input file fails a check."""

    exit_code = 3


class GridError(ConfigError):
    """A grid definition that gives no cells, too many cells, or no valid projection."""


class OutputError(BorderRiskError):
    """Results could not be written (permission, space, an existing folder)."""


_LISTED = 60


def nearest(wrong: str, choices: Iterable[str]) -> str | None:
    """Return the choice that is spelled most like a word, if one is alike."""
    by_lower = {choice.lower(): choice for choice in choices}
    close = get_close_matches(wrong.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def did_you_mean(wrong: str, choices: Iterable[object]) -> str:
    """Return a sentence with the closest of ``choices``, or the choices themselves.

    Examples
    --------
    >>> did_you_mean("lattitude", ["latitude", "longitude"])
    ' Did you mean latitude?'
    """
    names = [str(choice) for choice in choices if str(choice)]
    near = nearest(wrong, names)
    if near:
        return f" Did you mean {near}?"
    return f" There is: {listed(names)}." if names else ""


def listed(names: Sequence[str], most: int = _LISTED, separator: str = ", ") -> str:
    """Return names joined by commas, and of many how many more there are."""
    more = len(names) - most
    return separator.join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def plain(error: BaseException) -> str:
    """Return the innermost reason of an error, short."""
    for inner in (*error.args, getattr(error, "reason", None)):
        if isinstance(inner, BaseException):
            return plain(inner)
    text = str(getattr(error, "strerror", None) or error).rpartition("] ")[2]
    return " ".join(text.split())[:160]
