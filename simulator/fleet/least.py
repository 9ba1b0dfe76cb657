"""The least loaded of many replicas, in O(log replicas)."""

from __future__ import annotations

from heapq import heapify, heappop, heappush, heapreplace
from itertools import count

from simulator.engine.request import Request
from simulator.fleet.pool import Load, Router

UNKNOWN = -1.0


def least(size: int, load: Load) -> Router:
    """A router to the replica with the least load, among equals to the one chosen longest ago.

    A heap of loads as they were last seen. A load may grow unnoticed (it is looked up before a choice),
    but whoever lets it fall calls `changed`: so an entry that is up to date and first is the least. One that
    is unknown already needs no other.
    """
    numbers = count()
    entry = [next(numbers) for _ in range(size)]  # of each replica, the number of its only valid entry
    chosen = [0] * size
    known = [False] * size
    heap = [(UNKNOWN, 0, index, entry[index]) for index in range(size)]
    heapify(heap)

    def choose(request: Request, now: float) -> int:
        while True:
            seen, _, index, number = heap[0]
            if number != entry[index]:
                heappop(heap)
                continue
            actual = load(index, now)
            if heap[0][3] != number:  # an old view was renewed by the look
                continue
            if seen >= actual:
                chosen[index] = next(numbers)
                return index
            known[index] = True
            heapreplace(heap, (actual, chosen[index], index, number))

    def changed(index: int) -> None:
        if not known[index]:
            return
        known[index] = False
        entry[index] = number = next(numbers)
        heappush(heap, (UNKNOWN, chosen[index], index, number))

    return Router(choose, changed)
