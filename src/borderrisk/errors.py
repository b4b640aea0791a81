"""The errors a user can cause, each with the exit code the command line gives it."""

from __future__ import annotations


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
