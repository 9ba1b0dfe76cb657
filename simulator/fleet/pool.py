"""Replicas of one kind, and what a router may see of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulator.engine.replica import Replica
from simulator.engine.request import Request


@dataclass(frozen=True, slots=True)
class Pool:
    """The replicas of one pool, in order."""

    name: str
    replicas: list[Replica]

    def __len__(self) -> int:
        return len(self.replicas)

    def outstanding(self, index: int) -> int:
        """Requests that wait or run on that replica."""
        return self.replicas[index].outstanding


@dataclass(frozen=True, slots=True)
class Router:
    """choose(request, now) → index of a replica of the pool; changed(index): its load has changed."""

    choose: Callable[[Request, float], int]
    changed: Callable[[int], None] | None = None
