"""Intervals that overlap, on as few lanes as can be: a track of a trace holds one slice at a time."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray


def lanes(start: NDArray[Any], end: NDArray[Any]) -> NDArray[np.int64]:
    """The lane of each interval [start, end): the lowest that is free, in order of start; O(n log n).

    Those that end at an instant free their lane for those that start there.
    """
    found = np.zeros(len(start), np.int64)
    free: list[int] = []
    taken: list[tuple[Any, int]] = []
    used = 0
    order = np.argsort(start, kind="stable")
    for row, begin, until in zip(order.tolist(), start[order].tolist(), end[order].tolist(), strict=True):
        while taken and taken[0][0] <= begin:
            heappush(free, heappop(taken)[1])
        if free:
            lane = heappop(free)
        else:
            lane, used = used, used + 1
        heappush(taken, (until, lane))
        found[row] = lane
    return found
