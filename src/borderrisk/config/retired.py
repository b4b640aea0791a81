"""Keys that configs had once: let through where they only say "off", else refused with the why."""

from __future__ import annotations

from typing import Any, NamedTuple

from borderrisk.config.base import Location, Problem, dotted
from borderrisk.config.problems import got


class Retired(NamedTuple):
    """The value that meant "off", and why there is no such key any more."""

    off: Any
    reason: str


_STUDY = "a run no longer studies its own method; `python -m benchmarks studies {}` does, in the "
_STUDY += "source repository"
RETIRED: dict[tuple[str, ...], Retired] = {
    ("evaluation", "planted"): Retired(False, _STUDY.format("planted")),
    ("evaluation", "ablation"): Retired(False, _STUDY.format("ablation")),
    ("evaluation", "robustness_cell_km"): Retired([], _STUDY.format("grids")),
    ("outputs", "features_format"): Retired("nc", "features are written as NetCDF only"),
}


def drop_retired(data: dict[str, Any]) -> tuple[list[Problem], list[str]]:
    """Take retired keys out of plain data of a config, in place, those in scenarios too.

    Returns a problem for each that asks for something, and dotted names of those that only say
    "off".
    """
    problems, silent = [], []
    scenarios = data.get("scenarios")
    roots: list[tuple[Location, Any]] = [((), data)]
    for name, scenario in scenarios.items() if isinstance(scenarios, dict) else ():
        changes = scenario.get("changes") if isinstance(scenario, dict) else None
        roots.append((("scenarios", name, "changes"), changes))
    for prefix, root in roots:
        for (*sections, key), retired in RETIRED.items():
            section = root
            for part in sections:
                section = section.get(part) if isinstance(section, dict) else None
            if not isinstance(section, dict) or key not in section:
                continue
            value, location = section.pop(key), (*prefix, *sections, key)
            if value == retired.off and type(value) is type(retired.off):
                silent.append(dotted(location))
            else:
                message = f"there is no such key any more {got(value)}: {retired.reason}"
                problems.append(Problem(location, f"{message}; remove it", at_key=True))
    return problems, silent
