import numpy as np
import pandas as pd
import pytest
from affine import Affine
from scipy.sparse import csr_matrix
from tests.squares import make_cells

from borderrisk.errors import BorderRiskError, DataError
from borderrisk.grid import Grid
from borderrisk.model.densities import Learned, Memory, Points, Smoother
from borderrisk.model.level import Level
from borderrisk.model.pool import Pool, learn_weights, log_mean
from borderrisk.model.protocol import PARTS, Fitted
from borderrisk.model.registry import settings


@pytest.fixture(scope="module")
def cells():
    return make_cells()


class Exponential:
    """Log-density is a column times a factor."""

    def __init__(self, column, factor):
        self.column, self.factor = column, factor

    def predict(self, x):
        return np.exp(self.factor * x[self.column].to_numpy())

    def contributions(self, x):
        return pd.DataFrame({self.column: self.factor * x[self.column].to_numpy()})


def one_count(cells, row=15, col=15):
    counts = np.zeros(len(cells))
    counts[row * cells.grid.shape[1] + col] = 1.0
    return counts


def memory(cells, counts, widths=(0.0,), groups=("history",)):
    return Memory(cells.grid, cells.mask, np.atleast_2d(counts), widths, groups)


def pool(cells, weights, parts=(), ground=()):
    level = Level(12.0, 2.0)
    return Pool.make(settings("even"), cells, level, weights, tuple(parts), tuple(ground))


def test_a_density_is_a_gaussian_per_land_area(cells):
    found = Smoother(cells).density(one_count(cells), 20.0).reshape(cells.grid.shape)
    assert found.sum() == pytest.approx(1)
    assert found[15, 17] / found[15, 15] == pytest.approx(np.exp(-0.5), rel=1e-6)
    assert found[13, 17] / found[15, 15] == pytest.approx(np.exp(-1), rel=1e-6)
    assert found[15, 24] == 0


def test_the_sea_takes_no_incidents_from_the_coast(cells):
    """Beside a coast half of the kernel lies in the sea: the density there is not halved."""
    land = cells.x["x_km"].to_numpy() < 0
    mask = np.zeros(cells.grid.shape, bool)
    mask[cells.mask] = land
    coast = type(cells)(
        cells.grid, mask, cells.x[land].reset_index(drop=True), cells.area_100km2[land],
        cells.exposure[land],
    )  # fmt: skip
    even = Smoother(coast).density(coast.area_100km2 * 3.0, 30.0)
    assert even == pytest.approx(np.full(land.sum(), 3.0))


def test_points_are_kernels_where_they_are(cells):
    """Not at the centre of their cell."""
    xy, weight = np.array([[2_000.0, 4_000.0], [81_000.0, -57_000.0]]), np.array([1.0, 3.0])
    widths = (2.5, 10.0, 40.0)
    found = Points(cells.grid, xy, weight, widths, "history").densities(Smoother(cells))
    x, y = (axis[cells.mask] for axis in cells.grid.centres())
    for width, density in zip(widths, found.T, strict=True):
        square = ((x[:, None] - xy[:, 0]) ** 2 + (y[:, None] - xy[:, 1]) ** 2) / 1e6
        exact = np.exp(-square / (2 * width**2)) @ weight * 100 / (2 * np.pi * width**2)
        assert density == pytest.approx(exact, rel=1e-9)
    model = pool(cells, [0.5, 0.3, 0.1, 0.1], [Points(cells.grid, xy, weight, widths, "recent")])
    again = Pool.opened(model.settings, model.state())
    assert np.array_equal(again.intensity(cells), model.intensity(cells))


def test_parts_add_up_to_the_intensity_and_it_to_the_level(cells):
    both = np.array([one_count(cells), one_count(cells, 3, 4)])
    model = pool(
        cells, [0.3, 0.2, 0.4, 0.1], [memory(cells, both, groups=("history", "recent"))],
        [Learned(Exponential("elevation_mean", 0.5), ("elevation_mean",))],
    )  # fmt: skip
    parts, intensity = model.parts(cells), model.intensity(cells)
    assert tuple(parts) == PARTS
    assert sum(parts.values()) == pytest.approx(intensity, rel=1e-12)
    area = cells.study_area_100km2
    assert (intensity * area).sum() == pytest.approx(12.0)
    shares = {name: (part * area).sum() / 12 for name, part in parts.items()}
    assert shares == pytest.approx(dict(zip(PARTS, (0.3, 0.2, 0.4, 0.1), strict=True)))
    assert isinstance(model, Fitted)


def test_susceptibility_is_the_ground_by_itself(cells):
    ground = [Learned(Exponential("elevation_mean", 0.5), ("elevation_mean",))]
    alone = pool(cells, [1.0, 0.0], ground=ground)
    mixed = pool(cells, [0.6, 0.3, 0.1], [memory(cells, one_count(cells))], ground)
    assert mixed.susceptibility(cells) == pytest.approx(alone.intensity(cells))
    without = pool(cells, [0.6, 0.4], [memory(cells, one_count(cells))])
    assert without.susceptibility(cells) == pytest.approx(pool(cells, [1.0]).intensity(cells))


def test_a_part_that_is_zero_everywhere_gives_its_share_away(cells):
    groups, nothing = ("history", "recent"), np.zeros(len(cells))
    both = memory(cells, np.array([nothing, nothing]), groups=groups)
    assert pool(cells, [0.5, 0.3, 0.2], [both]).shares.tolist() == [0, 0, 1]
    one = memory(cells, np.array([one_count(cells), nothing]), groups=groups)
    assert pool(cells, [0.5, 0.3, 0.2], [one]).shares == pytest.approx([5 / 7, 0, 2 / 7])


def test_drivers_add_up_whatever_is_mixed(cells):
    one = Learned(Exponential("elevation_mean", 1.5), ("elevation_mean",))
    two = Learned(Exponential("border_distance_km", -0.03), ("border_distance_km",))
    model = pool(
        cells, [0.3, 0.3, 0.3, 0.1], [memory(cells, one_count(cells), (30.0,))], [one, two]
    )
    drivers, area = model.drivers(cells), cells.study_area_100km2
    assert list(drivers) == ["elevation_mean", "border_distance_km", "history"]
    log = np.log(model.intensity(cells))
    assert drivers.sum(axis=1).to_numpy() == pytest.approx(
        log - np.average(log, weights=area), abs=1e-10
    )
    assert np.corrcoef(drivers["elevation_mean"], cells.x["elevation_mean"])[0, 1] > 0.8
    assert np.corrcoef(drivers["border_distance_km"], cells.x["border_distance_km"])[0, 1] < -0.8
    # What the even share holds up moves the log of the whole by less than the model's own.
    assert np.ptp(drivers["elevation_mean"]) < 1.5 * np.ptp(cells.x["elevation_mean"])
    some = model.drivers(cells, np.arange(40))
    assert np.ptp(some["history"] - drivers["history"][:40]) == pytest.approx(0, abs=1e-9)


def test_effects_that_do_not_add_up_are_refused(cells):
    class Wrong(Exponential):
        def contributions(self, x):
            return 0.5 * super().contributions(x)

    wrong = pool(
        cells, [1.0, 0.0], ground=[Learned(Wrong("elevation_mean", 1.0), ("elevation_mean",))]
    )
    with pytest.raises(BorderRiskError, match="even miss its log-intensity by up to"):
        wrong.drivers(cells)


def test_history_is_the_factor_on_all_that_is_not_memory(cells):
    one = Learned(Exponential("elevation_mean", 0.0), ("elevation_mean",))
    model = pool(cells, [0.5, 0.4, 0.1], [memory(cells, one_count(cells))], [one])
    parts = model.parts(cells)
    factor = model.intensity(cells) / (parts["ground"] + parts["even"])
    found = model.drivers(cells)["history"]
    assert (found - found.iloc[0]).to_numpy() == pytest.approx(np.log(factor / factor[0]))


def test_no_features_no_drivers(cells):
    assert pool(cells, [0.5, 0.5], [memory(cells, one_count(cells))]).drivers(cells).shape == (900, 0)  # fmt: skip  # noqa: E501

    class Silent:
        def predict(self, x):
            return np.ones(len(x))

    assert pool(cells, [1.0, 0.0], ground=[Learned(Silent(), ())]).drivers(cells).shape == (900, 0)


def test_logarithmic_mean():
    assert log_mean(np.array([4.0, 1.0, 1 + 1e-9]), 1.0) == pytest.approx([3 / np.log(4), 1, 1])


def test_places_of_another_grid_are_refused(cells):
    model = pool(cells, [0.5, 0.5], [memory(cells, one_count(cells))])
    grid = Grid(cells.grid.crs, cells.grid.transform @ Affine.translation(0.5, 0), cells.grid.shape)
    moved = type(cells)(grid, cells.mask, cells.x, cells.area_100km2, cells.exposure)
    with pytest.raises(DataError, match="another grid"):
        model.intensity(moved)


def test_a_state_gives_the_model_back(cells):
    model = pool(
        cells, [0.3, 0.2, 0.4, 0.1],
        [memory(cells, np.array([one_count(cells), one_count(cells, 3, 4)]), (30.0,), ("history", "recent"))],  # noqa: E501
        [Learned(Exponential("elevation_mean", 0.5), ("elevation_mean",))],
    )  # fmt: skip
    again = Pool.opened(model.settings, model.state())
    assert np.array_equal(again.intensity(cells), model.intensity(cells))
    assert again.level == model.level
    assert isinstance(again.memory[0].grid, Grid)


def test_weights_by_hand():
    """Two parts, each right in one of two cells: one round of expectation and maximisation."""
    density = np.array([[2.0, 0.0], [0.0, 2.0]])
    found = learn_weights(density, np.array([3.0, 1.0]), np.array([1.0, 1.0]))
    # (3 + 1) / (4 + 2), (1 + 1) / (4 + 2): nothing is shared, so the first round is the last.
    assert found == pytest.approx([4 / 6, 2 / 6])


def test_weights_are_the_posterior_mode():
    rng = np.random.default_rng(0)
    density, counts = rng.exponential(size=(200, 3)), rng.exponential(size=200)
    prior = np.array([2.0, 1.0, 0.5])
    found = learn_weights(density, counts, prior)

    def log_posterior(share):
        return counts @ np.log(density @ share) + prior @ np.log(share)

    best = log_posterior(found)
    for _ in range(50):
        other = found * np.exp(0.05 * rng.normal(size=3))
        assert log_posterior(other / other.sum()) <= best + 1e-6


def test_soft_counts_do_not_have_to_be_whole():
    mass = csr_matrix([[0.5, 0.5]])
    assert learn_weights(np.eye(2), np.asarray(mass.sum(axis=0)).ravel(), np.ones(2)) == (
        pytest.approx([0.5, 0.5])
    )
