"""Workloads and scenarios that the benchmarks run, and the loop that they are held against."""

from __future__ import annotations

import heapq
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from simulator.scenario.load import load
from simulator.scenario.resolved import Resolved
from simulator.workload.columns import Workload, workload

SCENARIOS = Path(__file__).parent.parent / "scenarios"
PROMPT, OUTPUT = 1000, 200
# 60 % of what the eight replicas serve: flooded with 1,000 a second they end 212 to 216 a second
LOAD_PER_S = 127.0


@cache
def poisson_scenario() -> Resolved:
    return load(SCENARIOS / "poisson.yaml", [])


def scenario(
    replicas: int = 8, router: str | None = None, step_s: float | None = None, **engine: Any
) -> Resolved:
    """scenarios/poisson.yaml with other replicas, router or engine arguments; step_s: steps of that
    length.
    """
    base = poisson_scenario()
    pool = base.fleet.pools[0]
    blocks = {"num_gpu_blocks_override": 200_001} if step_s else {}
    args = replace(pool.engine, **(blocks | engine))
    pool = replace(pool, replicas=replicas, step_s=step_s, engine=args)
    chosen = replace(base.fleet.router, name=router) if router else base.fleet.router
    return replace(base, fleet=replace(base.fleet, pools=(pool,), router=chosen))


def arrivals(n: int, rate: float, seed: int = 1) -> Workload:
    """Poisson arrivals; prompts of 1,000 and answers of 200 tokens on average, lognormal."""
    rng = np.random.default_rng(seed)
    gaps = rng.exponential(1 / rate, n)

    def lengths(mean: float) -> np.ndarray:
        sigma = np.sqrt(np.log(1 + 0.8**2))
        return np.maximum(1, rng.lognormal(np.log(mean) - sigma**2 / 2, sigma, n)).astype(np.int64)

    return workload(np.cumsum(gaps), lengths(PROMPT), lengths(OUTPUT))


def bare_loop(n: int = 60_000) -> int:
    """A bare heap loop: pop, a little arithmetic, push; what any discrete-event simulation pays at least."""
    heap = [(float(i), i) for i in range(8)]
    heapq.heapify(heap)
    total = 0
    for _ in range(n):
        now, index = heapq.heappop(heap)
        total += index * 3 + 1
        heapq.heappush(heap, (now + 1.0 + index * 1e-3, index))
    return total
