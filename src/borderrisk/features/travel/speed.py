"""How fast people walk: pace as a function of slope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from borderrisk.errors import ConfigError

FASTEST_SLOPE = -0.05
OFF_PATH_FACTOR = 0.6
SLOPE_LIMIT_DEG = 45.0
# Linear interpolation over a slope step s errs by at most (3.5 s)² / 8 of the pace: 6e-8.
_TABLE_STEP = -FASTEST_SLOPE / 256


def tobler_kmh(slope: np.ndarray | float) -> np.ndarray:
    """Return the walking speed on a path by Tobler's hiking function.

    Parameters
    ----------
    slope : ndarray or float
        Rise over horizontal distance in the direction of travel; negative is downhill.

    Returns
    -------
    ndarray
        Horizontal km/h.

    References
    ----------
    Tobler 1993, NCGIA Technical Report 93-1.

    Examples
    --------
    >>> tobler_kmh(np.array([-0.05, 0.0])).round(2).tolist()
    [6.0, 5.04]
    """
    return 6 * np.exp(-3.5 * np.abs(np.asarray(slope, float) - FASTEST_SLOPE))


@dataclass(frozen=True)
class Walking:
    """Walking speed and the steepest slope that is still walked.

    Parameters
    ----------
    off_path_factor : float
        Share of Tobler's speed kept away from paths (his own figure is 0.6).
    slope_limit_deg : float
        Steeper steps are not taken, up or down.

    Raises
    ------
    ConfigError
        If the factor is not a positive number or the limit is not between 0 and 80 degrees.
    """

    off_path_factor: float = OFF_PATH_FACTOR
    slope_limit_deg: float = SLOPE_LIMIT_DEG

    def __post_init__(self) -> None:
        if not (np.isfinite(self.off_path_factor) and self.off_path_factor > 0):
            raise ConfigError(
                f"off_path_factor must be a positive share of the walking speed "
                f"(got {self.off_path_factor:g}); 0.6 is Tobler's figure for open country."
            )
        if not 0 < self.slope_limit_deg <= 80:
            raise ConfigError(
                f"slope_limit_deg must be above 0 and at most 80 (got {self.slope_limit_deg:g})."
            )

    @property
    def steepest(self) -> float:
        """Limit as rise over distance."""
        return float(np.tan(np.deg2rad(self.slope_limit_deg)))

    def pace(self, slope: np.ndarray | float) -> np.ndarray:
        """Hours per km at a slope."""
        return 1 / (tobler_kmh(slope) * self.off_path_factor)

    @property
    def best_pace(self) -> float:
        """Hours per km at the best slope within the limit."""
        return float(self.pace(max(FASTEST_SLOPE, -self.steepest)))

    @property
    def worst_pace(self) -> float:
        """Hours per km at the steepest climb."""
        return float(self.pace(self.steepest))

    def table(self) -> np.ndarray:
        """Pace by slope for the solver: lowest slope, entries per unit of slope, then the paces.

        The knots include the kink of the hiking function and reach past the slope limit.
        """
        below = int(np.ceil((self.steepest + FASTEST_SLOPE) / _TABLE_STEP)) + 2
        above = int(np.ceil((self.steepest - FASTEST_SLOPE) / _TABLE_STEP)) + 2
        slopes = FASTEST_SLOPE + np.arange(-max(below, 2), above + 1) * _TABLE_STEP
        return np.concatenate([[slopes[0], 1 / _TABLE_STEP], self.pace(slopes)])
