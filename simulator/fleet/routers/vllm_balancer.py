"""vLLM's own balancer among data-parallel ranks: the least load by counts that are told now and then.

Rule `inflight` (vLLM 0.33.0, v1/engine/core_client.py): the load is the larger of what it has sent there
that has not ended and the requests that wait or run by the last counts; each that waits adds 6 for each unit
of KV use above a half. Ties go round. Rule `queues` (releases before): four for each that waits and one for
each that runs by the last counts, and four for each sent since; ties go to the first. The age of the counts
is the pool's `view_delay`: 100 ms among the ranks of a replica (v1/engine/coordinator.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.engine.request import Request
from simulator.errors import InputError, Problem
from simulator.fleet.pool import Pool, Router

RULES = ("inflight", "queues")


@dataclass(frozen=True, slots=True)
class Options:
    """rule: inflight or queues."""

    rule: str = "inflight"


def make(pool: Pool, options: Options, rng: np.random.Generator) -> Router:
    """Raises InputError for a rule that is not there."""
    if options.rule not in RULES:
        raise InputError(Problem("rule", f"no such rule: {options.rule!r}", ", ".join(RULES)))
    size = len(pool)
    since = [0] * size  # sent there since the counts were told
    first = 0

    def inflight(index: int, now: float) -> float:
        waiting = pool.waiting(index, now) + since[index]
        told = pool.outstanding(index, now) + since[index]
        pressure = 6.0 * max(pool.kv_use(index, now) - 0.5, 0.0)
        return max(pool.replicas[index].outstanding, told) + waiting * pressure

    def queues(index: int, now: float) -> float:
        return 3 * pool.waiting(index, now) + pool.outstanding(index, now) + 4 * since[index]

    load = inflight if options.rule == "inflight" else queues

    def choose(request: Request, now: float) -> int:
        nonlocal first
        pool.waiting(0, now)  # the counts of before are forgotten where there are new ones
        best = min(range(first, first + size), key=lambda index: load(index % size, now)) % size
        if options.rule == "inflight":
            first = (first + 1) % size
        if pool.view_delay_s:
            since[best] += 1
        return best

    def changed(index: int) -> None:
        since[index] = 0

    return Router(choose, changed)
