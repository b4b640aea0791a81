"""The ground people move over, and how long they take: from the inputs to the solver's terms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import shapely

from borderrisk.border.corridors import MAX_DRAW_PIXELS
from borderrisk.errors import ConfigError
from borderrisk.features.travel import (
    FineTerrain,
    Places,
    Solves,
    Walking,
    pixels_per_cell,
    solve_travel,
)
from borderrisk.grid import Grid
from borderrisk.pipeline.inputs import Study
from borderrisk.sources.overlays import Overlays, burned, read_overlays


@dataclass(frozen=True)
class Ground:
    """The fine terrain and the travel times over it, each made when it is first asked for.

    Features and border both need them. They are large, some 80 bytes per fine pixel.
    """

    config: Any
    files: Any
    study: Study
    workers: int | None = None

    @cached_property
    def fine(self) -> FineTerrain:
        """What people move over."""
        return self.terrain()

    @cached_property
    def solves(self) -> Solves:
        """Travel between the far side, the border and the places of the config."""
        return solve_travel(self.fine, self.places, self.walking, self.workers)

    @property
    def walking(self) -> Walking:
        """The walking speed of the config."""
        travel = self.config.features.travel
        return Walking(travel.off_path_factor, travel.slope_limit_deg)

    @property
    def places(self) -> Places:
        """Where people set out from and go to."""
        travel = self.config.features.travel
        return Places(
            lines_by_country=self.study.lines,
            settlements=self.files.settlements,
            home=self.study.home_code,
            targets=travel.targets,
            posts=self.files.posts,
            far_population=travel.far_settlement_population,
            home_population=travel.home_settlement_population,
        )

    @cached_property
    def overlays(self) -> Overlays:
        """Roads, barriers, water and land cover, and what they do."""
        travel, files = self.config.features.travel, self.files
        return read_overlays(
            self.study.grid, roads=files.roads, barriers=files.barriers, water=files.water,
            land_cover=files.land_cover, speeds=travel.road_speeds_kmh,
            factors=travel.land_cover_factors,
        )  # fmt: skip

    @property
    def absent(self) -> set[str]:
        """Whom there was no file of to be seen from: ``posts``, ``roads``."""
        read = {"posts": self.files.posts, "roads": self.overlays.roads}
        return {name for name, places in read.items() if places is None}

    def terrain(self, pixels: int | None = None) -> FineTerrain:
        """Return what people move over: elevation, water, roads, land cover and closures.

        At most so many pixels, but at least one for each cell; by default as the elevation needs.
        """
        study, files, travel = self.study, self.files, self.config.features.travel
        factor = pixels_per_cell(files.elevation, study.grid)
        if pixels is not None:
            factor = max(1, min(factor, int(np.sqrt(pixels / study.grid.size))))
        fine = FineTerrain.read(files.elevation, study.grid, land=study.all_land, factor=factor)
        given = self.overlays
        barrier = fine.barrier if fine.barrier is not None else np.zeros(fine.grid.shape, bool)
        if travel.blocked_above_m is not None:
            barrier = barrier | (fine.elevation > travel.blocked_above_m)
        if (walls := given.walls(fine.grid)) is not None:
            barrier = barrier | walls
        if travel.closed:
            barrier = barrier | _closed_border(travel.closed, study, fine.grid)
        fine = replace(
            fine,
            barrier=barrier,
            road_kmh=given.road_kmh(fine.grid),
            multiplier=given.walking_time(fine.grid),
        )
        if given.water is not None:
            water = study.local(shapely.union_all(given.water.geometry))
            slow = travel.water_speed_factor
            fine = fine.slowed(water, 1 / slow) if slow > 0 else fine.closed(water)
        return fine

    def drawn(self) -> FineTerrain:
        """Return the coarser terrain that randomised routes are drawn on."""
        return self.terrain(MAX_DRAW_PIXELS)


def _closed_border(
    closed: tuple[tuple[float, float, float, float], ...], study: Study, grid: Grid
) -> np.ndarray:
    """Cells of the border line inside the closed boxes."""
    boxes = shapely.union_all([shapely.box(*box) for box in closed])
    line = shapely.intersection(shapely.union_all(study.borders.geometry.to_numpy()), boxes)
    if line.is_empty:
        raise ConfigError("features.travel.closed: no box holds any part of the border.")
    # One cell to each side, so that no step slips past the corner of the line.
    wall = shapely.buffer(study.local(line), grid.cell_size_m)
    return burned([(wall, 1)], grid) > 0
