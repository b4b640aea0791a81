"""What a run will take, reckoned from the border and the outlines before any work.

Cells, segments, refits and tests are counted without making any, and multiplied by what one of each
cost where it was measured (``WORK``).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pyproj import Geod

from borderrisk.compute import available_workers
from borderrisk.config import Config
from borderrisk.features.travel.ground import pixel_size_m, pixels_along
from borderrisk.pipeline.inputs import Inputs

# Refits beside those asked for, which calibrate the intervals.
_REHEARSED = 36
# So many are reckoned with before the table is opened.
_USUAL_INCIDENTS = 1_000
_SMALLEST_KM = 1e-9
_CONTAINER = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Estimate:
    """What a config asks for, counted without making any of it, and what a run of it will take.

    Time and memory are good to within a factor of two; areas are in km².
    ``km`` is the length of the border by pair of countries; ``box_km2`` is the area of the grid,
    ``land_km2`` what of it is land of study area and halo. ``pixel_m`` is that of the elevation,
    None without travel.
    """

    km: dict[str, float]
    area_km2: float
    land_km2: float
    box_km2: float
    cell_km: float
    pixel_m: float | None
    segment_km: float
    replicates: int
    tests: int
    routes: int
    targets: int
    figures: int
    incidents: int
    workers: int

    @property
    def border_km(self) -> float:
        """Length of the whole border."""
        return sum(self.km.values())

    @property
    def grid(self) -> float:
        """Cells of the grid."""
        return self.box_km2 / self.cell_km**2

    @property
    def scored(self) -> float:
        """Cells of the study area."""
        return self.area_km2 / self.cell_km**2

    @property
    def read(self) -> float:
        """Cells of study area and halo."""
        return self.land_km2 / self.cell_km**2

    @property
    def pixels(self) -> float:
        """Pixels that travel is computed on."""
        if self.pixel_m is None:
            return 0
        return self.grid * pixels_along(1000 * self.cell_km, self.grid, self.pixel_m) ** 2

    @property
    def refits(self) -> int:
        """Refits of the intervals, and those that calibrate them."""
        return self.replicates + _REHEARSED if self.replicates else 0

    @property
    def draws(self) -> int:
        """Randomised ground that routes are found over."""
        return self.routes * self.targets

    @property
    def segments(self) -> float:
        """Stretches of the border."""
        return self.border_km / self.segment_km

    def seconds(self, part: Work) -> float:
        """Time of one part, as a user waits for it."""
        return part.times(self) * part.seconds / (self.workers if part.parallel else 1)

    def bytes(self, part: Work) -> float:
        """Memory of one part."""
        return part.times(self) * part.bytes

    @property
    def total_seconds(self) -> float:
        """Time of the whole run."""
        return sum(map(self.seconds, WORK))

    @property
    def total_bytes(self) -> float:
        """Memory at the most."""
        return sum(map(self.bytes, WORK))

    def without_intervals(self) -> Estimate:
        """Return the estimate of a first look: no intervals, no tests."""
        return replace(self, replicates=0, tests=0)


@dataclass(frozen=True)
class Work:
    """A part of a run: how often it is done, and what once costs.

    ``seconds`` are of one processor and shared by all workers where ``parallel``; ``bytes`` are
    held while the largest part runs. ``key`` is the one that makes it smaller.
    """

    name: str
    key: str
    times: Callable[[Estimate], float]
    seconds: float = 0.0
    bytes: float = 0.0
    parallel: bool = False


_CELLS, _REFITS = "grid.cell_size_m", "uncertainty.replicates"
_TESTS = "evaluation.first_origin"
WORK: tuple[Work, ...] = (
    Work("start", "", lambda _: 1, 9.0, 790e6),
    Work("cells read", _CELLS, lambda s: s.read, 5e-6, 2_000),
    Work("walking", _CELLS, lambda s: s.pixels, 3.8e-6, 80, parallel=True),
    Work("routes", "corridors.routes", lambda s: s.draws, 0.022, parallel=True),
    Work("segments", "segments.segment_km", lambda s: s.segments, 0.002, 20e3),
    Work("fit and scores", _CELLS, lambda s: s.scored, 50e-6),
    Work("incidents", "data.incidents.start", lambda s: s.incidents, 5e-4),
    Work("refits", _REFITS, lambda s: s.refits, 0.03, parallel=True),
    Work("refits of cells", _REFITS, lambda s: s.refits * s.scored, 5e-6, 8, parallel=True),
    Work("refits of incidents", _REFITS, lambda s: s.refits * s.incidents, 1e-5, parallel=True),
    Work("tests", _TESTS, lambda s: s.tests, 0.45, parallel=True),
    Work("tests of cells", _TESTS, lambda s: s.tests * s.scored, 40e-6, parallel=True),
    Work("tests of incidents", _TESTS, lambda s: s.tests * s.incidents, 5e-4, parallel=True),
    Work("files and maps", _CELLS, lambda s: s.scored, 60e-6),
    Work("figures", "outputs.figures", lambda s: s.figures, 0.85, parallel=True),
)
"""What parts cost on the machine of docs/performance.md, with compiled loops and nothing kept."""


def count_origins(config: Config) -> int:
    """Return the number of forecast origins, one a year."""
    return config.evaluation.last_origin.year - config.evaluation.first_origin.year + 1


def measured(config: Config, inputs: Inputs, incidents: int | None = None) -> Estimate:
    """Count what a config asks for; so many ``incidents`` at the most, where they are known."""
    study, area = inputs.outline, inputs.outline.area
    west, south, east, north = area.halo.bounds
    travel, corridors = config.features.travel, config.corridors
    tested = config.evaluation
    tests = count_origins(config) * len(tested.horizons_years) + tested.spatial * len(study.lines)
    return Estimate(
        km={
            str(row.pair): Geod(ellps="WGS84").geometry_length(row.geometry) / 1000
            for row in inputs.borders.itertuples()
        },
        area_km2=area.polygon.area / 1e6,
        land_km2=study.land.area / 1e6,
        box_km2=(east - west) * (north - south) / 1e6,
        cell_km=max(config.grid.cell_size_m / 1000, _SMALLEST_KM),
        pixel_m=pixel_size_m(inputs.elevation) if travel.enabled else None,
        segment_km=max(config.segments.segment_km, _SMALLEST_KM),
        replicates=config.uncertainty.replicates,
        tests=tests if tested.enabled else 0,
        routes=corridors.routes if travel.enabled and corridors.enabled else 0,
        targets=len(travel.targets),
        figures=(1 + len(config.focus)) * len(config.outputs.figures),
        incidents=_USUAL_INCIDENTS if incidents is None else incidents,
        workers=config.compute.workers or available_workers(),
    )


def machine_bytes() -> float:
    """Memory that this process may use; infinite where the system does not say."""
    found = math.inf
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    try:
        return min(found, float(_CONTAINER.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit
        return found


def counted(number: float) -> str:
    """Return a number as one would say it."""
    return f"{number:,.0f}" if number < 1e15 else f"{number:.2g}"


def in_bytes(number: float) -> str:
    """Return memory in MB, GB or TB."""
    for unit, size in (("TB", 1e12), ("GB", 1e9)):
        if number >= size:
            count = number / size
            return f"{counted(count) if count >= 100 else f'{count:.2g}'} {unit}"
    return f"{number / 1e6:.0f} MB"


def spoken(seconds: float) -> str:
    """Return a duration in the unit that one would use.

    Examples
    --------
    >>> spoken(8), spoken(100), spoken(9000), spoken(3e6), spoken(1e9)
    ('8 s', '1.7 min', '2.5 h', '35 days', '32 years')
    """
    units = ((365.25 * 86400, "years"), (86400, "days"), (3600, "h"), (60, "min"), (1, "s"))
    size, unit = next((u for u in units if seconds >= 1.5 * u[0]), units[-1])
    count = seconds / size
    return f"{count:.2g} {unit}" if count < 100 else f"{counted(count)} {unit}"
