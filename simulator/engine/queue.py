"""The waiting queue: in order of arrival, or of a policy's key (SPEC R2)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heappop, heappush

from simulator.engine.request import Request

Key = Callable[[Request], tuple[float, ...]]


class Queue:
    """Requests waiting to be admitted. key None: first come first served, and who is put back goes to the front."""

    __slots__ = ("fifo", "heap", "key")

    def __init__(self, key: Key | None) -> None:
        self.key = key
        self.fifo: deque[Request] = deque()
        self.heap: list[tuple[tuple[float, ...], int, Request]] = []

    def __len__(self) -> int:
        return len(self.fifo) or len(self.heap)

    def __iter__(self) -> Iterator[Request]:
        yield from self.fifo
        yield from (entry[2] for entry in sorted(self.heap, key=lambda entry: entry[:2]))

    def head(self) -> Request:
        return self.fifo[0] if self.key is None else self.heap[0][2]

    def pop(self) -> Request:
        return self.fifo.popleft() if self.key is None else heappop(self.heap)[2]

    def add(self, request: Request) -> None:
        """A new arrival."""
        if self.key is None:
            self.fifo.append(request)
        else:
            heappush(self.heap, (self.key(request), request.order, request))

    def put_back(self, request: Request) -> None:
        """A preempted one, or one that was set aside."""
        if self.key is None:
            self.fifo.appendleft(request)
        else:
            self.add(request)

    def remove(self, request: Request) -> None:
        if self.key is None:
            self.fifo.remove(request)
        else:
            self.heap = [entry for entry in self.heap if entry[2] is not request]
            self.heap.sort(key=lambda entry: entry[:2])
