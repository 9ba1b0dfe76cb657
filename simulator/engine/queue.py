"""The waiting queue (R2): in order of arrival, of a policy's key, or of a rank that changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from simulator.engine.request import Request

if TYPE_CHECKING:
    from simulator.engine.batch import Batch
    from simulator.engine.policies import Policy

Key = Callable[[Request], tuple[float, ...]]


def waiting_queue(policy: Policy, batch: Batch) -> Fifo | Ranked | Turns:
    """The queue of the kind that the policy's order needs."""
    if policy.rank is not None:
        return Turns(policy, batch)
    return Fifo() if policy.key is None else Ranked(policy.key)


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


class Turns:
    """Groups of requests, each in order; which group goes next is found anew at every look.

    A look costs one rank a group that waits, and nothing is kept from one look to the next but who was
    found: `take` takes the request that `head` returned.
    """

    __slots__ = ("batch", "groups", "next", "policy")

    def __init__(self, policy: Policy, batch: Batch) -> None:
        self.policy = policy
        self.batch = batch
        self.groups: dict[int, Fifo | Ranked] = {}
        self.next = -1

    def __len__(self) -> int:
        return sum(map(len, self.groups.values()))

    def __bool__(self) -> bool:
        return bool(self.groups)

    def head(self) -> Request:
        if len(self.groups) == 1:
            self.next = next(iter(self.groups))
        else:
            self.next = min(self.groups, key=self._rank)
        return self.groups[self.next].head()

    def _rank(self, group: int) -> tuple[float, ...]:
        head = self.groups[group].head()
        assert self.policy.rank is not None
        return (*self.policy.rank(head, self.batch), head.order)

    def take(self) -> Request:
        request = self.groups[self.next].take()
        self._tidy(self.next)
        if self.policy.taken is not None:
            self.policy.taken(request)
        return request

    def add(self, request: Request) -> None:
        self._group(request).add(request)

    def put_back(self, request: Request) -> None:
        self._group(request).put_back(request)

    def _group(self, request: Request) -> Fifo | Ranked:
        policy = self.policy
        name = request.order if policy.group is None else policy.group(request)
        group = self.groups.get(name)
        if group is None:
            if policy.opened is not None:
                policy.opened(request, self.batch, [group.head() for group in self.groups.values()])
            group = self.groups[name] = Fifo() if policy.key is None else Ranked(policy.key)
        return group

    def in_order(self) -> Iterator[Request]:
        for group in sorted(self.groups, key=self._rank):
            yield from self.groups[group].in_order()

    def drop(self, request: Request) -> None:
        for name, group in list(self.groups.items()):
            if request in group.in_order():
                group.drop(request)
                self._tidy(name)

    def _tidy(self, name: int) -> None:
        if not self.groups[name]:
            del self.groups[name]
