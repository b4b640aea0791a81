"""How many threads a fit may use."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

# Below this many table values, threads that wait for each other cost more than they bring: several
# times the whole fit when other processes share the cores.
SMALL = 3_000_000


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """Return a context in which linear algebra and tree growing use one thread."""
    return _controller().limit(limits=1)


def threads_for(table: Any) -> AbstractContextManager[Any]:
    """Return a context in which small tables are worked on by one thread."""
    return nullcontext() if np.prod(table.shape) >= SMALL else one_thread()
