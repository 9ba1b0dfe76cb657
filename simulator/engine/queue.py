"""The waiting queue: in order of arrival, or of a policy's key (SPEC R2). Two kinds with the same calls."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush

from simulator.engine.request import Request

Key = Callable[[Request], tuple[float, ...]]


class Fifo(deque[Request]):
    """First come, first served; who is put back goes to the front."""

    add = deque.append
    put_back = deque.appendleft
    take = deque.popleft

    def head(self) -> Request:
        return self[0]

    def in_order(self) -> Iterator[Request]:
        return iter(self)

    def drop(self, request: Request) -> None:
        self.remove(request)


class Ranked(list[tuple[tuple[float, ...], int, Request]]):
    """A heap by the policy's key, the order of arrival among equals; who is put back keeps its rank."""

    __slots__ = ("key",)

    def __init__(self, key: Key) -> None:
        super().__init__()
        self.key = key

    def head(self) -> Request:
        return self[0][2]

    def take(self) -> Request:
        return heappop(self)[2]

    def add(self, request: Request) -> None:
        heappush(self, (self.key(request), request.order, request))

    put_back = add

    def in_order(self) -> Iterator[Request]:
        return (entry[2] for entry in sorted(self, key=lambda entry: entry[:2]))

    def drop(self, request: Request) -> None:
        self[:] = [entry for entry in self if entry[2] is not request]
        heapify(self)
