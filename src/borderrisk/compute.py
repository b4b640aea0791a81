"""Where parallel work runs: threads, processes, or a Dask cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from borderrisk.errors import BorderRiskError, ConfigError

T = TypeVar("T")
R = TypeVar("R")

# A scheduler somewhere else: plain or encrypted TCP.
ADDRESSES = ("tcp://", "tls://")
_CONNECT_TIMEOUT_S = 10


def available_workers() -> int:
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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

    Parameters
    ----------
    function : callable of one item
        Free of side effects: a cluster repeats it when a worker is lost. For processes and
        clusters it must be picklable (a function of a module, or a ``functools.partial`` of one).
    items : iterable
        What to apply it to.
    scheduler : str
        ``threads``, ``processes`` or the address of a Dask scheduler (``tcp://host:8786``),
        which needs the ``distributed`` extra here and borderrisk on its workers.
    workers : int, optional
        Threads or processes; all processors by default. A cluster has its own number.
    progress : callable, optional
        Told ``(done, total)`` in this process, in the order of the items; by a cluster only at the
        end.

    Raises
    ------
    ConfigError
        If the scheduler is unknown, cannot be reached, or the extra is not installed.
    BorderRiskError
        If a worker process dies.
    Exception
        Whatever ``function`` raises.

    Examples
    --------
    >>> map_parallel(abs, [-2, 1, -3])
    [2, 1, 3]
    """
    tasks = list(items)
    if is_cluster(scheduler):
        return _counted(_on_cluster(function, tasks, scheduler), len(tasks), progress)
    if scheduler not in ("threads", "processes"):
        raise ConfigError(
            f"scheduler must be threads, processes or tcp://host:port (got {scheduler!r})."
        )
    count = max(1, min(workers or available_workers(), len(tasks)))
    if count == 1 and scheduler == "threads":
        return _counted(map(function, tasks), len(tasks), progress)
    if scheduler == "processes":
        return _in_processes(function, tasks, count, progress)
    with ThreadPoolExecutor(count) as pool:
        return _counted(pool.map(function, tasks), len(tasks), progress)


def _counted(
    results: Iterable[R], total: int, progress: Callable[[int, int], None] | None
) -> list[R]:
    """Collect results, telling of each."""
    found = []
    for result in results:
        found.append(result)
        if progress is not None:
            progress(len(found), total)
    return found


def _in_processes(
    function: Callable[[T], R],
    tasks: list[T],
    count: int,
    progress: Callable[[int, int], None] | None,
) -> list[R]:
    """Run in fresh processes: forking one that holds threads of GDAL or BLAS can hang.

    joblib's workers do not import the caller's main script, so a script needs no guard.
    """
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import BrokenProcessPool

    try:
        crew = Parallel(count, backend="loky", return_as="generator")
        return _counted(crew(delayed(function)(task) for task in tasks), len(tasks), progress)
    except BrokenProcessPool as error:
        raise BorderRiskError(
            "A worker process ended abruptly, most likely for lack of memory; use fewer workers, "
            "or the threads scheduler."
        ) from error


def _on_cluster(function: Callable[[T], R], tasks: list[T], address: str) -> list[R]:
    distributed = _distributed()
    try:
        client = distributed.Client(address, timeout=_CONNECT_TIMEOUT_S, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise ConfigError(
            f"No Dask scheduler answers at {address} ({error}); start one with `dask scheduler` "
            "or set compute.scheduler to threads."
        ) from error
    with client:
        # Not pure: results of an earlier call are never reused.
        return list(client.gather(client.map(function, tasks, pure=False, batch_size=64)))


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise ConfigError(
            "A tcp:// scheduler needs Dask: pip install 'borderrisk[distributed]'."
        ) from error
    return distributed
