import os
import signal
import sys
import time
from functools import partial

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS

from borderrisk.compute import map_parallel
from borderrisk.errors import ConfigError
from borderrisk.features.terrain import ElevationArray, terrain_features
from borderrisk.grid import Grid, laea_crs


def die_once(marker):
    """End this process abruptly, unless another one did before."""
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def square_or_die(marker, number):
    time.sleep(0.02)
    if number == 5:
        die_once(marker)
    return number**2


class DyingElevation(ElevationArray):
    """Elevation whose first reader in the middle rows is killed."""

    block_rows = 32

    def read(self, rows, cols):
        if rows.start > 150:
            die_once(self.name)
        return super().read(rows, cols)


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed", reason="the distributed extra is optional")
    cloudpickle = pytest.importorskip("cloudpickle")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs="CRITICAL"
    ) as running:
        yield running.scheduler_address
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.mark.parametrize("workers", [1, 3])
def test_results_keep_the_order_of_the_items(workers):
    slow_first = partial(_late, 0.05)
    assert map_parallel(slow_first, range(5), workers=workers) == [0, 1, 4, 9, 16]


def _late(delay, number):
    time.sleep(delay / (number + 1))
    return number**2


def test_processes_give_what_threads_give():
    assert map_parallel(abs, [-3, 2], scheduler="processes", workers=2) == [3, 2]


def test_an_error_of_the_function_is_raised():
    with pytest.raises(ZeroDivisionError):
        map_parallel(lambda n: 1 / n, [1, 0, 2])


@pytest.mark.parametrize("scheduler", ["thread", "http://host:1"])
def test_an_unknown_scheduler_is_refused(scheduler):
    with pytest.raises(ConfigError, match="threads, processes or tcp"):
        map_parallel(abs, [1], scheduler=scheduler)


def test_nobody_at_the_address(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("borderrisk.compute._CONNECT_TIMEOUT_S", 0.3)
    with pytest.raises(ConfigError, match=r"No Dask scheduler answers at tcp://127\.0"):
        map_parallel(abs, [1], scheduler="tcp://127.0.0.1:9")


def test_a_killed_worker_does_not_change_the_results(cluster, tmp_path):
    work = partial(square_or_die, str(tmp_path / "died"))
    assert map_parallel(work, range(12), scheduler=cluster) == [n**2 for n in range(12)]
    assert (tmp_path / "died").exists()


def test_terrain_on_a_cluster_that_loses_a_worker_equals_the_local_run(cluster, tmp_path):
    rng = np.random.default_rng(1)
    values = 1000 + np.cumsum(rng.normal(0, 5, (400, 300)), axis=0)
    place = (values, Affine(0.01, 0, 59, 0, -0.01, 33), CRS.from_epsg(4326))
    grid = Grid(laea_crs(60, 31), Affine(5000, 0, -100_000, 0, -5000, 200_000), (80, 40))
    local = terrain_features(ElevationArray(*place), grid)
    source = DyingElevation(*place, name=str(tmp_path / "died"))
    monkey = pytest.MonkeyPatch()
    monkey.setattr("borderrisk.features.terrain._pass._STRIP_PIXELS", 1)
    with monkey.context():
        remote = terrain_features(source, grid, scheduler=cluster)
    assert (tmp_path / "died").exists()
    for name in local.data_vars:
        np.testing.assert_array_equal(local[name], remote[name], err_msg=name)
