"""How many threads a fit may use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from borderrisk.compute import map_parallel

T = TypeVar("T")
R = TypeVar("R")

# Below this many table values, threads that wait for each other cost more than they bring: several
# times the whole fit when other processes share the cores.
SMALL = 3_000_000


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """Return a context in which linear algebra and tree growing use one thread.

    The limit of linear algebra is the process's, and leaving sets back what was found on entering:
    work that is done at once goes through :func:`map_fits`.
    """
    return _controller().limit(limits=1)


def threads_for(table: Any) -> AbstractContextManager[Any]:
    """Return a context in which small tables are worked on by one thread."""
    return nullcontext() if np.prod(table.shape) >= SMALL else one_thread()


def map_fits(function: Callable[[T], R], items: Iterable[T], **how: Any) -> list[R]:
    """Apply :func:`borderrisk.compute.map_parallel` with linear algebra on one thread throughout.

    Jobs in threads that enter and leave :func:`one_thread` would otherwise set back the limit of
    each other, and sums over another number of threads are rounded in another way: tables would
    depend on timing.
    """
    with one_thread():
        return map_parallel(function, items, **how)
