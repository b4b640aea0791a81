"""List the studies, or run one: ``python -m benchmarks studies [NAME] [OPTIONS]``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib import import_module

STUDIES = {
    "planted": "models on worlds whose truth is known, and how often intervals hold it",
    "counts": "whether intervals of totals, sections and windows hold what they say",
    "hindsight": "a config's skill beside what hindsight would reach",
    "parts": "what each part of the decayed pool is worth, on four borders",
    "carried": "models carried from border to border, and where to trust them",
    "folds": "block folds, random folds, and a border left out without the columns that name it",
    "ablation": "what each group of features is worth",
    "grids": "whether ranks hold on larger, smaller and shifted cells",
    "bootstrap": "time and memory of the intervals",
}


def main(arguments: Sequence[str]) -> None:
    """Run the study named first; without a name, list them."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        print("\n".join(f"{name:12}{words}" for name, words in STUDIES.items()))
        return
    name, *rest = arguments
    if name not in STUDIES:
        sys.exit(f"There is no study {name!r}; there are {', '.join(STUDIES)}.")
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    import_module(f"benchmarks.studies.{name}").main(rest)


if __name__ == "__main__":
    main(sys.argv[1:])
