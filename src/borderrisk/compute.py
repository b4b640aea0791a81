"""Parallel work through joblib: threads, processes or a Dask cluster, with equal results."""

from __future__ import annotations

import atexit
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from borderrisk.errors import BorderRiskError, ConfigError

T = TypeVar("T")
R = TypeVar("R")

# A scheduler somewhere else: plain or encrypted TCP.
ADDRESSES = ("tcp://", "tls://")
_BACKENDS = {"threads": "threading", "processes": "loky"}
_CONNECT_TIMEOUT_S = 10
_LATE: list[tuple[Any, str]] = []


def available_workers() -> int:
    """Processors this process may use."""
    from joblib import cpu_count

    return int(cpu_count())


def compiled(ahead: str = "", **options: Any) -> Callable[[Any], Any]:
    """Compile a kernel with numba, once for all runs where there is a folder to keep it in.

    An install that cannot be written to, used without a home, has none; then every process compiles
    anew. ``ahead`` is the signature that runs use, of a kernel that they need late: a first run has
    it compiled meanwhile (:func:`compile_ahead`).
    """
    from numba import njit

    def decorate(function: Any) -> Any:
        try:
            kernel = njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:  # numba finds no folder for its cache
            return njit(nogil=True, **options)(function)
        if ahead and hasattr(kernel, "stats"):  # not where numba is switched off
            _LATE.append((kernel, ahead))
        return kernel

    return decorate


def compile_ahead(modules: Sequence[str]) -> None:
    """Compile late kernels of some modules in a process of its own, unless they are kept already.

    The process ends with this one at the latest; nothing depends on whether it was in time.
    """
    if not sys.executable or available_workers() < 2 or _is_kept(modules[0]):
        return
    program = f"import {', '.join(modules)}; from borderrisk.compute import compile_late as c; c()"
    command, none = [sys.executable, "-P", "-c", program], subprocess.DEVNULL
    with suppress(OSError):  # no more processes are allowed
        child = subprocess.Popen(command, stdin=none, stdout=none, stderr=none)
        atexit.register(child.kill)


def _is_kept(module: str) -> bool:
    """Whether the late kernels of a module were compiled since it was last changed."""
    source = Path(str(import_module(module).__file__))
    for kernel, _ in _LATE:
        if kernel.py_func.__module__ == module:
            index = f"{source.stem}.{kernel.py_func.__qualname__}-*.nbi"
            found = Path(kernel.stats.cache_path).glob(index)
            if not any(path.stat().st_mtime > source.stat().st_mtime for path in found):
                return False
    return True


def compile_late() -> None:
    """Compile the late kernels of all modules that are loaded."""
    from numba.core.sigutils import normalize_signature

    for kernel, signature in _LATE:
        kernel.compile(normalize_signature(signature)[0])


def is_cluster(scheduler: str) -> bool:
    """Whether a scheduler is the address of a Dask cluster."""
    return scheduler.startswith(ADDRESSES)


def map_parallel(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    scheduler: str = "threads",
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[R]:
    """Apply a function to items in parallel and return the results in the order of the items.

    The function is free of side effects: a cluster repeats it when a worker is lost. For processes
    and clusters it must be picklable (a function of a module, or a ``functools.partial`` of one).
    The scheduler is ``threads``, ``processes`` or the address of a Dask scheduler
    (``tcp://host:8786``), which needs the ``distributed`` extra here and borderrisk on its workers.
    By default there are as many workers as processors; a cluster has its own number. ``progress``
    is told ``(done, total)`` in this process, in the order of the items.

    ConfigError if the scheduler is unknown, cannot be reached, or the extra is not installed;
    BorderRiskError if a worker process dies; and whatever ``function`` raises.
    """
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import BrokenProcessPool

    tasks, found = list(items), []
    count = max(1, min(workers or available_workers(), len(tasks)))
    try:
        with one_thread(), _crew(scheduler, count):
            crew = Parallel(return_as="generator")
            for result in crew(delayed(_alone)(function, task) for task in tasks):
                found.append(result)
                if progress is not None:
                    progress(len(found), len(tasks))
    except BrokenProcessPool as error:
        raise BorderRiskError(
            "A worker process ended abruptly, most likely for lack of memory; use fewer workers, "
            "or the threads scheduler."
        ) from error
    return found


def _alone(function: Callable[[T], R], task: T) -> R:
    """Work in another thread or process, where the limit has to be set again."""
    with one_thread():
        return function(task)


@contextmanager
def _crew(scheduler: str, count: int) -> Iterator[None]:
    """Let joblib run what follows where the scheduler says."""
    from joblib import parallel_config

    if is_cluster(scheduler):
        with _client(scheduler) as client, parallel_config("dask", client=client):
            yield
    elif scheduler in _BACKENDS:
        with parallel_config(_BACKENDS[scheduler], n_jobs=count):
            yield
    else:
        raise ConfigError(
            f"scheduler must be threads, processes or tcp://host:port (got {scheduler!r})."
        )


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise ConfigError(
            "A tcp:// scheduler needs Dask: pip install 'borderrisk[distributed]'."
        ) from error
    try:
        return Client(address, timeout=_CONNECT_TIMEOUT_S, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise ConfigError(
            f"No Dask scheduler answers at {address} ({error}); start one with `dask scheduler` "
            "or set compute.scheduler to threads."
        ) from error


class _Limit:
    """The limit of linear algebra, which is the process's: the last to leave sets it back."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0

    def enter(self) -> Any:
        with self._lock:
            if not self._inside:
                from threadpoolctl import ThreadpoolController

                # Made anew: libraries may have been loaded since.
                self._pools = ThreadpoolController()
                self._held = self._pools.select(user_api="blas").limit(limits=1)
            self._inside += 1
            return self._pools

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._held.restore_original_limits()


_LIMIT = _Limit()


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep linear algebra and tree growing on one thread in the body.

    Sums over another number of threads are rounded in another way. Small fits are also faster so:
    threads that wait for each other cost more than they bring.
    """
    pools = _LIMIT.enter()
    try:
        with pools.select(user_api="openmp").limit(limits=1):  # each thread has its own
            yield
    finally:
        _LIMIT.leave()
