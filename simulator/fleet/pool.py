"""Replicas of one kind, and what a router may see of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from simulator.engine.request import Request

Load = Callable[[int, float], float]


class Target(Protocol):
    """What a router chooses among: a replica, or all data-parallel ranks of one."""

    @property
    def index(self) -> int: ...

    @property
    def name(self) -> str: ...

    @property
    def role(self) -> str: ...

    @property
    def outstanding(self) -> int: ...

    @property
    def waiting(self) -> int: ...

    @property
    def queued_tokens(self) -> int: ...

    def kv_use(self, now: float) -> float: ...


class Pool:
    """The replicas that one router chooses among, in order.

    Every load is a function of (index, now). Real routers see old metrics: with a view_delay the loads are
    looked up for all replicas at once, when they were last looked up that long ago or more, and `renewed` is
    called. in_system: requests that wait or run in the pool.
    """

    __slots__ = ("_seen", "_seen_s", "in_system", "name", "renewed", "replicas", "view_delay_s")

    def __init__(self, name: str, replicas: Sequence[Target], view_delay_s: float = 0.0) -> None:
        self.name = name
        self.replicas = replicas
        self.view_delay_s = view_delay_s
        self.in_system = 0
        self.renewed: Callable[[], None] | None = None
        self._seen: list[tuple[float, float, float, float]] = []
        self._seen_s = -float("inf")

    def __len__(self) -> int:
        return len(self.replicas)

    def outstanding(self, index: int, now: float) -> float:
        """Requests that wait or run on that replica."""
        return self._view(now)[index][0] if self.view_delay_s else self.replicas[index].outstanding

    def waiting(self, index: int, now: float) -> float:
        """Requests that wait there: that hold no place in its batch."""
        return self._view(now)[index][3] if self.view_delay_s else self.replicas[index].waiting

    def queued_tokens(self, index: int, now: float) -> float:
        """Prompt tokens that are still to be computed there."""
        return self._view(now)[index][1] if self.view_delay_s else self.replicas[index].queued_tokens

    def kv_use(self, index: int, now: float) -> float:
        """Share of its KV blocks that requests hold, 0 to 1."""
        return self._view(now)[index][2] if self.view_delay_s else self.replicas[index].kv_use(now)

    def _view(self, now: float) -> list[tuple[float, float, float, float]]:
        if now - self._seen_s >= self.view_delay_s:
            self._seen_s = now
            self._seen = [
                (
                    float(replica.outstanding),
                    float(replica.queued_tokens),
                    replica.kv_use(now),
                    float(replica.waiting),
                )
                for replica in self.replicas
            ]
            if self.renewed is not None:
                self.renewed()
        return self._seen


@dataclass(frozen=True, slots=True)
class Router:
    """choose(request, now) → index of a replica of the pool; changed(index): its load may be less than it
    was.
    """

    choose: Callable[[Request, float], int]
    changed: Callable[[int], None] | None = None
