"""The replica with the fewest requests waiting or running; among equals the first."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

import numpy as np

from simulator.engine.request import Request
from simulator.fleet.pool import Pool, Router


def make(pool: Pool, options: dict[str, Any], rng: np.random.Generator) -> Router:
    """A heap of (load, index) whose entries may be out of date: a choice costs O(log replicas)."""
    heap = [(0, index) for index in range(len(pool))]

    def choose(request: Request, now: float) -> int:
        while True:
            load, index = heap[0]
            actual = pool.outstanding(index)
            if load == actual:
                heappop(heap)
                heappush(heap, (actual + 1, index))
                return index
            heappop(heap)
            if load < actual:
                heappush(heap, (actual, index))

    def changed(index: int) -> None:
        heappush(heap, (pool.outstanding(index), index))

    return Router(choose, changed)
