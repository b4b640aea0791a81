"""Travel time: how long it takes to walk or drive over terrain."""

from borderrisk.features.travel.ground import FineTerrain, pixels_per_cell, resample
from borderrisk.features.travel.measures import (
    FarSide,
    Places,
    Solves,
    solve_travel,
    travel_features,
)
from borderrisk.features.travel.solver import Ground, Travel, Walking, tobler_kmh, travel_time

__all__ = [
    "FarSide",
    "FineTerrain",
    "Ground",
    "Places",
    "Solves",
    "Travel",
    "Walking",
    "pixels_per_cell",
    "resample",
    "solve_travel",
    "tobler_kmh",
    "travel_features",
    "travel_time",
]
