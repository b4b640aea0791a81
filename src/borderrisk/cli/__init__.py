"""The command line: parse, configure logging, call the pipeline."""

from __future__ import annotations


def main() -> None:
    """Run the ``borderrisk`` command."""
    from borderrisk.cli.app import app

    app(prog_name="borderrisk")
