"""Replicas of one kind, and what a router may see of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulator.engine.replica import Replica
from simulator.engine.request import Request

Load = Callable[[int, float], float]


class Pool:
    """The replicas that one router chooses among, in order.

    With a view_delay the loads are those that were reported last, each view_delay seconds, as real
    routers see them; else those of this instant. Every load is a function of (index, now). in_system:
    requests that wait or run in the pool.
    """

    __slots__ = ("_seen", "in_system", "name", "replicas", "view_delay_s")

    def __init__(self, name: str, replicas: list[Replica], view_delay_s: float = 0.0) -> None:
        self.name = name
        self.replicas = replicas
        self.view_delay_s = view_delay_s
        self.in_system = 0
        self._seen: list[tuple[float, float, float]] | None = None
        if view_delay_s:
            self.report(0.0)

    def __len__(self) -> int:
        return len(self.replicas)

    def outstanding(self, index: int, now: float) -> float:
        """Requests that wait or run on that replica."""
        return self._seen[index][0] if self._seen else self.replicas[index].outstanding

    def queued_tokens(self, index: int, now: float) -> float:
        """Prompt tokens that are still to be computed there."""
        return self._seen[index][1] if self._seen else self.replicas[index].queued_tokens

    def kv_use(self, index: int, now: float) -> float:
        """Share of its KV blocks that requests hold, 0 to 1."""
        return self._seen[index][2] if self._seen else self.replicas[index].kv_use(now)

    def report(self, now: float) -> None:
        """What routers see from now on."""
        self._seen = [
            (float(replica.outstanding), float(replica.queued_tokens), replica.kv_use(now))
            for replica in self.replicas
        ]


@dataclass(frozen=True, slots=True)
class Router:
    """choose(request, now) → index of a replica of the pool; changed(index): its load may be less than it
    was.
    """

    choose: Callable[[Request, float], int]
    changed: Callable[[int], None] | None = None
