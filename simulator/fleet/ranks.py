"""The data-parallel ranks of one replica behind its front end, as a router sees them: one replica.

Each rank is an engine of its own with its queue and KV cache (R101); the front end's balancer spreads
requests among them by counts that it is told every COUNTS_S (R102).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from simulator.engine.desk import Engine
from simulator.engine.request import Request
from simulator.fleet.pool import Pool, Router, Target

COUNTS_S = 0.1


class Ranks:
    """engines: the ranks, in order; index: that of the first."""

    __slots__ = ("_router", "engines", "index", "name", "role")

    def __init__(self, name: str, pool: Pool, engines: Sequence[Engine], router: Router) -> None:
        """pool: the engines, as the router sees them."""
        self.name = name
        self.engines = tuple(engines)
        self.index = engines[0].index
        self.role = engines[0].role
        self._router = router
        pool.renewed = self._renewed

    def choose(self, request: Request, now: float) -> Engine:
        """The rank that the request goes to."""
        return self.engines[self._router.choose(request, now)]

    def _renewed(self) -> None:
        if self._router.changed is not None:
            for rank in range(len(self.engines)):
                self._router.changed(rank)

    @property
    def outstanding(self) -> int:
        """Requests that wait or run on any rank."""
        return sum(engine.outstanding for engine in self.engines)

    @property
    def waiting(self) -> int:
        """Requests that wait on any rank."""
        return sum(engine.waiting for engine in self.engines)

    @property
    def queued_tokens(self) -> int:
        """Prompt tokens still to be computed, over all ranks."""
        return sum(engine.queued_tokens for engine in self.engines)

    def kv_use(self, now: float) -> float:
        """Share of all ranks' KV blocks in use, 0 to 1: they have equally many."""
        return sum(engine.kv_use(now) for engine in self.engines) / len(self.engines)


def engines(target: Target) -> tuple[Engine, ...]:
    """The engines of what a router chooses."""
    return target.engines if isinstance(target, Ranks) else (cast("Engine", target),)
