import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from benchmarks.studies.worlds import make_world

import borderrisk
from borderrisk.compute import map_parallel, one_thread
from borderrisk.config import load_config
from borderrisk.errors import ConfigError, OutputError
from borderrisk.model import uncertainty
from borderrisk.model.registry import make_model
from borderrisk.pipeline import changes
from borderrisk.pipeline import result as results
from borderrisk.pipeline import run as jobs

SOURCE = str(Path(borderrisk.__file__).parents[1])
CONFIG = Path(__file__).parents[1] / "configs" / "eastern-border.yaml"


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


# In a process of its own, where linear algebra has two threads on any machine.
APART = """
import threading
import numpy
from threadpoolctl import threadpool_info
from borderrisk.compute import map_parallel, one_thread

def blas(_=None):
    return sorted({lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"})

first_in, second_in, first_out = (threading.Event() for _ in range(3))

def first():
    with one_thread():
        first_in.set()
        assert second_in.wait(5)
    first_out.set()

def second():
    assert first_in.wait(5)
    with one_thread():
        second_in.set()
        assert first_out.wait(5)
        print("who stays", blas())

apart = [threading.Thread(target=work) for work in (first, second)]
for thread in apart:
    thread.start()
for thread in apart:
    thread.join()
print("after", blas())
for scheduler in ("threads", "processes"):
    print(scheduler, map_parallel(blas, range(2), scheduler=scheduler, workers=2), blas())
"""


def test_linear_algebra_has_one_thread_until_the_last_one_leaves():
    env = os.environ | {"OPENBLAS_NUM_THREADS": "2", "PYTHONPATH": SOURCE}
    done = subprocess.run(
        [sys.executable, "-c", APART], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "who stays [1]", "after [2]", "threads [[1], [1]] [2]", "processes [[1], [1]] [2]",
    ]  # fmt: skip


WORKERS = [("threads", 1), ("threads", 3), ("processes", 1), ("processes", 2)]


def rounded_sum(seed):
    """A sum whose last bits depend on how it is split over threads."""
    table = np.random.default_rng(seed).normal(size=(400, 3000))
    return float(np.linalg.slogdet(table @ table.T)[1])


def test_results_have_the_same_bits_wherever_the_work_runs():
    alone = [rounded_sum(seed) for seed in range(3)]
    with one_thread():
        held = [rounded_sum(seed) for seed in range(3)]
    found = [map_parallel(rounded_sum, range(3), scheduler=s, workers=n) for s, n in WORKERS]
    assert found == [held] * len(WORKERS)
    assert alone == pytest.approx(held)


@pytest.mark.parametrize(
    ("scheduler", "workers"), [("threads", 1), ("threads", 3), ("processes", 2)]
)
def test_progress_is_told_in_order(scheduler, workers):
    heard = []
    found = map_parallel(
        abs, [-1, 2, -3], scheduler=scheduler, workers=workers,
        progress=lambda *told: heard.append(told),
    )  # fmt: skip
    assert found == [1, 2, 3]
    assert heard == [(1, 3), (2, 3), (3, 3)]


def after_death(marker, work, item):
    """Do some work, unless no worker has died yet: then die."""
    die_once(marker)
    return work(item)


@pytest.fixture
def one_dies(monkeypatch, tmp_path):
    """Let the first worker that a module gives something to do die over it."""
    marker = tmp_path / "died"

    def in_module(module):
        def deadly(work, items, **options):
            return map_parallel(partial(after_death, str(marker), work), items, **options)

        monkeypatch.setattr(module, "map_parallel", deadly)
        return marker

    return in_module


@pytest.fixture(scope="module")
def bootstrap():
    """Bootstrap intervals of a small world, wherever the work is to run."""
    world, origin = (
        make_world(seed=0, incidents=120, shape=(16, 18), cell_size_m=20_000),
        "2019-01-01",
    )
    cells, panel = world.cells(), world.panel()
    fitted = make_model("decayed_pool", n_estimators=10).fit(cells, panel, origin, 4)

    def intervals(**how):
        return uncertainty.bootstrap_intervals(
            fitted, cells, panel, origin, replicates=6, level=0.9, horizon_days=365.0, seed=4, **how
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uncertainty, "SHORT", 2)
        patch.setattr(uncertainty, "LONG", 4)
        yield intervals, vars(intervals(workers=1))


@pytest.mark.parametrize(("scheduler", "workers"), WORKERS[1:])
def test_intervals_have_the_same_bits_wherever_the_work_runs(bootstrap, scheduler, workers):
    intervals, alone = bootstrap
    found = intervals(scheduler=scheduler, workers=workers)
    for name, values in alone.items():
        np.testing.assert_array_equal(getattr(found, name), values, err_msg=name)


def test_bootstrap_on_a_cluster_that_loses_a_worker_equals_the_local_one(
    cluster, one_dies, bootstrap
):
    intervals, alone = bootstrap
    marker = one_dies(uncertainty)
    remote = intervals(scheduler=cluster)
    assert marker.exists()
    for name, values in alone.items():
        np.testing.assert_array_equal(getattr(remote, name), values, err_msg=name)


COUNTRIES = ("afg", "pak", "tkm")
PLACES = [
    *(f"border_distance_{code}_km" for code in COUNTRIES),
    *(f"hours_from_border_{code}" for code in COUNTRIES),
    *(f"hours_to_{town}" for town in ("mashhad", "zahedan", "kerman")),
]


def region(name, place, **overrides):
    small = {
        "name": name, "grid.cell_size_m": "50000", "features.concealment.enabled": "false",
        "corridors.enabled": "false", "compute.cache": str(place / "cache"),
        "model.parameters": "{n_estimators: 10}", "outputs.figures": "[]", "outputs.focus": "[]",
        # What is called after places here does not travel.
        "features.exclude": str(PLACES).replace("'", ""),
    }  # fmt: skip
    return load_config(CONFIG, small | overrides)


def test_regions_scored_on_a_cluster_that_loses_a_worker_equal_the_local_ones(
    cluster, one_dies, tmp_path
):
    model = jobs.train(region("whole", tmp_path), tmp_path / "model.skops")["model"]
    places = [
        region(f"strip-{km}", tmp_path, **{"study_area.border_strip_km": km})
        for km in ("150", "200")
    ]
    local = changes.score_regions(model, places, tmp_path / "local")
    marker = one_dies(changes)
    apart = [
        place.model_copy(
            update={"compute": place.compute.model_copy(update={"cache": tmp_path / "other"})}
        )
        for place in places
    ]
    remote = changes.score_regions(model, apart, tmp_path / "remote", scheduler=cluster)
    assert marker.exists()
    assert (
        [path.name for path in remote]
        == [path.name for path in local]
        == ["strip-150", "strip-200"]
    )
    for one, other in zip(local, remote, strict=True):
        a, b = (results.open_run(folder).cells for folder in (one, other))
        assert a.equals(b)
        assert {"risk", "trust", "driver_1"} <= set(a)


def test_regions_need_names_and_folders_of_their_own(tmp_path):
    twice = [region("same", tmp_path)] * 2
    with pytest.raises(ConfigError, match="same occurs twice"):
        changes.score_regions("model", twice, tmp_path)
    (tmp_path / "there").mkdir()
    with pytest.raises(OutputError, match="exists already"):
        changes.score_regions("model", [region("there", tmp_path)], tmp_path)


UNWRITABLE = """
import tempfile

def refuse(*args, **options):
    raise PermissionError(13, "Read-only file system")

tempfile.TemporaryFile = refuse
import numpy as np
from borderrisk.features._loops import distances
from borderrisk.compute import compiled

@compiled()
def double(x):
    return 2 * x

print(double(21), distances.stats.cache_path)
"""


def test_kernels_compile_where_nothing_can_be_kept():
    env = os.environ | {"PYTHONPATH": SOURCE}
    done = subprocess.run(
        [sys.executable, "-c", UNWRITABLE], env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout == "42 None\n", done.stderr


LATE = """
import sys
from borderrisk import cli, compute
from borderrisk.cli.run_commands import LATE

compute.compile_ahead = lambda modules: None
try:
    cli.main()
except SystemExit as end:
    assert not end.code, end.code
from numba.core.sigutils import normalize_signature
for kernel, signature in compute._LATE:
    used, ahead = set(kernel.signatures), normalize_signature(signature)[0]
    assert used == {ahead}, (kernel, used, ahead)
    assert kernel.py_func.__module__ in LATE
print(len(compute._LATE), file=sys.stderr)
"""


@pytest.mark.slow
def test_kernels_compiled_ahead_are_those_that_a_run_uses(tmp_path):
    small = ["grid.cell_size_m=50000", f"compute.cache={tmp_path}/cache", "outputs.figures=[]",
             "outputs.focus=[]", "model.parameters={n_estimators: 10}"]  # fmt: skip
    pairs = [word for pair in small for word in ("--set", pair)]
    done = subprocess.run(
        [sys.executable, "-c", LATE, "run", str(CONFIG), "--no-evaluate", *pairs,
         "--out", str(tmp_path / "out")],
        env=os.environ | {"PYTHONPATH": SOURCE}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.split()[-1] == "8"


AHEAD = """
from types import SimpleNamespace
from borderrisk import compute

compute.available_workers = lambda: 2
compute.atexit = SimpleNamespace(register=lambda kill: kill.__self__.wait())
compute.compile_ahead(["borderrisk.features._loops"])
"""


def test_what_is_kept_is_not_compiled_ahead_again(tmp_path):
    env = os.environ | {"PYTHONPATH": SOURCE, "NUMBA_CACHE_DIR": str(tmp_path)}
    found = []
    for _ in range(2):
        subprocess.run([sys.executable, "-c", AHEAD], env=env, check=True)
        found.append({path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbi")})
    assert found[0] == found[1]
    assert {path.name.split("-")[0] for path in found[0]} >= {
        "_loops.distances", "_loops.mark_visible", "_loops.horizon_angles",
    }  # fmt: skip
