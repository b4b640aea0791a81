"""The command group and how its failures end."""

from __future__ import annotations

import errno
import logging
import sys
from typing import Any

import click

from borderrisk.cli import read_commands, run_commands, skill_commands, start_commands
from borderrisk.cli.common import wrapped
from borderrisk.errors import BorderRiskError
from borderrisk.runs.folder import Stopped, stoppable

INTERRUPTED = 130
_INTERRUPTED = "interrupted; nothing unfinished was kept"


class _Group(click.Group):
    """A group whose commands end with one clear message instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command; map its failure to an exit code."""
        try:
            with stoppable():
                return super().invoke(ctx)
        except BorderRiskError as error:
            raise _Stop(str(error), error.exit_code) from error
        except (KeyboardInterrupt, Stopped) as error:
            # A command notes what it kept.
            said = "".join(getattr(error, "__notes__", [])) or _INTERRUPTED
            raise _Stop(said, int(str(getattr(error, "code", INTERRUPTED)))) from error
        except MemoryError as error:
            raise _Stop("out of memory; use larger cells or a smaller area", 1) from error
        except OSError as error:
            too_long = error.errno == errno.ENAMETOOLONG
            raise _Stop(_os_message(error), 2 if too_long else 1) from error
        except (click.exceptions.Exit, click.ClickException):
            raise
        except Exception as error:
            logging.getLogger(__name__).debug("unexpected failure", exc_info=True)
            message = f"internal error: {type(error).__name__}: {error} (-v shows where)"
            raise _Stop(message, 1) from error


class _Stop(click.ClickException):
    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]

    def show(self, file: Any = None) -> None:  # noqa: ARG002
        """Print the message on stderr, no wider than the terminal."""
        click.echo(wrapped(self.message, sys.stderr), err=True)


def _os_message(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"{where}the disk is full; nothing was kept"
    return f"{where}{error.strerror or error}"


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="borderrisk")
def app() -> None:
    """Map the relative intensity of reported border incidents, with honest uncertainty.

    Start here: borderrisk init my-border --home COUNTRY --incidents FILE

    Then: borderrisk run my-border

    Without your own: borderrisk init copies an example.
    """


for _command in (
    *start_commands.COMMANDS, *run_commands.COMMANDS, *read_commands.COMMANDS,
    *skill_commands.COMMANDS,
):  # fmt: skip
    app.add_command(_command)
