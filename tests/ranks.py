"""Random small fleets whose replicas are data-parallel ranks: dense, in lock step, disaggregated."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from disaggregated import disaggregated
from fleets import Case, case

from simulator import catalog
from simulator.scenario.resolved import Layout, ModelSpec, Plugin, PoolSpec, Resolved

EXPERTS = "qwen3-30b-a3b"


@cache
def mixture() -> ModelSpec:
    """A mixture of experts in 16 bits."""
    return ModelSpec(catalog.load("models", EXPERTS), "none", "bf16", "bf16", "bf16")


def ranked(scenario: Resolved, ranks: int, experts: bool = True) -> Resolved:
    """The scenario with so many ranks in each replica, of a mixture of experts or as it is."""
    pools = tuple(_pool(pool, ranks, experts) for pool in scenario.fleet.pools)
    model = mixture() if experts else scenario.model
    return replace(scenario, model=model, fleet=replace(scenario.fleet, pools=pools))


def _pool(pool: PoolSpec, ranks: int, experts: bool) -> PoolSpec:
    engine = replace(pool.engine, prefill_schedule_interval=1)
    return replace(pool, layout=Layout(1, 1, ranks, experts), engine=engine)


def ranked_case(seed: int) -> Case:
    """The same case for the same seed: one in three with prefill pools."""
    rng = np.random.default_rng([seed, 2])
    made = disaggregated(seed) if seed % 3 == 0 else case(seed)
    scenario = ranked(made.scenario, int(rng.choice([2, 4])), experts=bool(rng.random() < 0.75))
    rules = replace(
        scenario.fleet.pools[0].engine.rules,
        balancer=str(rng.choice(["inflight", "queues"])),
        dp_sync_interval=int(rng.choice([1, 4, 16, 32])),
    )
    pools = tuple(
        replace(pool, engine=replace(pool.engine, rules=rules), replicas=int(rng.integers(1, 3)))
        for pool in scenario.fleet.pools
    )
    fleet = replace(scenario.fleet, pools=pools)
    if made.scenario.fleet.router.name == "conditional":
        fleet = replace(fleet, router=Plugin("conditional", {"tokens": 20}))
    return replace(made, scenario=replace(scenario, fleet=fleet))
