"""Scenarios made in a line, for tests that run the engine."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from simulator.scenario.load import load as load_scenario
from simulator.scenario.resolved import Plugin, Resolved
from simulator.workload.columns import Workload, workload

SCENARIO = Path(__file__).parent.parent / "scenarios" / "poisson.yaml"


@cache
def _base() -> Resolved:
    return load_scenario(SCENARIO, [])


def scenario(
    replicas: int = 1,
    step_s: float | None = None,
    router: str = "round_robin",
    run: Any = None,
    **engine: Any,
) -> Resolved:
    """Llama-3.1-8B on H100s, or steps of step_s seconds, with engine arguments as wanted."""
    base = _base()
    pool = base.fleet.pools[0]
    args = replace(pool.engine, **({"num_gpu_blocks_override": 100_001} if step_s else {}) | engine)
    pool = replace(pool, replicas=replicas, step_s=step_s, engine=args)
    fleet = replace(base.fleet, pools=(pool,), router=Plugin(router))
    return replace(base, fleet=fleet, run=replace(base.run, **(run or {})))


def poisson(rate: float, n: int, prompt: ArrayLike, output: ArrayLike, seed: int = 1) -> Workload:
    """n requests at random; prompt and output: a number or one for each."""
    gaps = np.random.default_rng(seed).exponential(1 / rate, n)
    return workload(np.cumsum(gaps), np.broadcast_to(prompt, n), np.broadcast_to(output, n))
