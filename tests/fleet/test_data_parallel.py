"""Data-parallel ranks against replicas, closed forms and vLLM's own rule for spreading requests."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from ranks import ranked
from runs import poisson, scenario

from simulator.cost.work import Work
from simulator.engine.request import Request
from simulator.fleet.build import price
from simulator.fleet.pool import Pool, Target
from simulator.fleet.routers.vllm_balancer import Options, make
from simulator.results.run import RunResult
from simulator.scenario.resolved import Plugin, Resolved
from simulator.simulate import simulate
from simulator.units import on_grid
from simulator.workload.columns import Workload, workload

STEP_S = 2.0**-7


def at(times: list[float], prompt: int | list[int], output: int | list[int]) -> Workload:
    n = len(times)
    return workload(np.array(times), np.broadcast_to(prompt, n), np.broadcast_to(output, n))


def fixed(ranks: int, **engine: object) -> Resolved:
    return ranked(scenario(1, STEP_S, **({"async_scheduling": False} | engine)), ranks)


def column(result: RunResult, name: str) -> np.ndarray:
    return result.requests[name].to_numpy(zero_copy_only=False)


def test_dense_ranks_are_replicas_behind_the_same_balancer() -> None:
    base = scenario(1, enable_prefix_caching=False)
    load = poisson(60, 1500, 800, 60)
    ranks = simulate(ranked(base, 4, experts=False), load=load)
    pool = replace(base.fleet.pools[0], replicas=4)
    fleet = replace(base.fleet, pools=(pool,), router=Plugin("vllm_balancer"), view_delay_s=0.1)
    replicas = simulate(replace(base, fleet=fleet), load=load)
    assert [name.replace("/0.", "/") for name in ranks.requests["replica"].to_pylist()] == replicas.requests[
        "replica"
    ].to_pylist()
    for left, right in ((ranks.requests, replicas.requests), (ranks.timeline, replicas.timeline)):
        assert str(left.drop_columns("replica").to_pylist()) == str(right.drop_columns("replica").to_pylist())
    assert sum(facts.accelerators for facts in ranks.replicas) == 4


@pytest.mark.parametrize("dispatch", [False, True])
def test_equal_ranks_take_as_long_as_one_of_them_alone(dispatch: bool) -> None:
    spec = ranked(scenario(1, async_scheduling=dispatch, max_model_len=16384), 4)
    found = simulate(spec, load=at([0.0] * 4, 700, 50), keep_steps=True)
    (pool,) = price(spec)
    prefill = on_grid(pool.cost.price(Work(0, 0, ((700, 0),), 1)).seconds)
    assert column(found, "ttft_s") == pytest.approx(prefill, abs=1e-12)
    decodes = sum(on_grid(pool.cost.price(Work(1, 701 + j, (), 1)).seconds) for j in range(49))
    assert column(found, "decode_s") == pytest.approx(decodes, rel=1e-6)
    assert sorted(set(found.requests["replica"].to_pylist())) == [f"serve/0.{i}" for i in range(4)]


def test_all_ranks_wait_for_the_one_with_a_long_prompt() -> None:
    """A decode beside another rank's prefill waits for it, and says so in its waterfall."""
    spec = ranked(scenario(1, async_scheduling=False, max_model_len=16384), 2)
    alone = simulate(spec, load=at([0.0], 100, 200))
    both = simulate(spec, load=at([0.0, 0.5], [100, 8000], [200, 1]))
    assert both.requests["replica"].to_pylist() == ["serve/0.0", "serve/0.1"]
    longer = column(both, "e2e_s")[0] - column(alone, "e2e_s")[0]
    assert longer == pytest.approx(column(both, "prefill_s")[1], rel=0.2)
    assert column(both, "decode_stretched_s")[0] == pytest.approx(longer, rel=0.05)


def test_a_rank_without_requests_plans_when_the_others_do() -> None:
    """It runs dummy batches: an arrival waits for the end of the step that the others are in."""
    found = simulate(fixed(2), load=at([0.0, 3.5 * STEP_S], 10, 10))
    assert column(found, "ttft_s") == pytest.approx([STEP_S, 1.5 * STEP_S], abs=1e-12)


def test_a_wave_ends_when_the_ranks_ask_one_another() -> None:
    """Work ends after 10 steps; dummy batches go on to the 16th, in which an arrival waits for the next."""
    inside, after = 12.25 * STEP_S, 16.25 * STEP_S
    for arrival, ttft in ((inside, 1.75 * STEP_S), (after, STEP_S)):
        found = simulate(fixed(2), load=at([0.0, arrival], 10, 10))
        assert column(found, "ttft_s")[1] == pytest.approx(ttft, abs=1e-12)


class Rank:
    """What the balancer sees of a rank."""

    def __init__(self, waiting: int, running: int, use: float) -> None:
        self.waiting, self.outstanding, self.use = waiting, waiting + running, use
        self.queued_tokens = 0

    def kv_use(self, now: float) -> float:
        return self.use


ANYBODY = Request(0, 0.0, 1, 1)


def pool_of(ranks: list[Rank], view_delay_s: float = 0.0) -> Pool:
    return Pool("test", cast(list[Target], ranks), view_delay_s)


@pytest.mark.parametrize(
    ("rule", "ranks", "chosen"),
    [
        ("queues", [(1, 0, 0.0), (0, 3, 0.0), (0, 4, 0.0)], 1),
        ("queues", [(1, 0, 0.0), (0, 5, 0.0), (0, 5, 0.0)], 0),
        ("inflight", [(1, 0, 0.0), (0, 3, 0.0), (0, 5, 0.0)], 0),
        ("inflight", [(2, 2, 1.0), (0, 9, 1.0), (0, 10, 0.0)], 1),
    ],
)
def test_the_balancer_weighs_as_vllm_does(
    rule: str, ranks: list[tuple[int, int, float]], chosen: int
) -> None:
    pool = pool_of([Rank(*rank) for rank in ranks])
    router = make(pool, Options(rule), np.random.default_rng(0))
    assert router.choose(ANYBODY, 0.0) == chosen


def test_between_two_counts_the_balancer_counts_what_it_sends() -> None:
    pool = pool_of([Rank(0, 1, 0.0), Rank(0, 0, 0.0), Rank(0, 0, 0.0)], 0.1)
    queues = make(pool, Options("queues"), np.random.default_rng(0))
    assert [queues.choose(ANYBODY, 0.01 * i) for i in range(4)] == [1, 2, 0, 1]
    inflight = make(pool, Options("inflight"), np.random.default_rng(0))
    assert [inflight.choose(ANYBODY, 0.0) for _ in range(5)] == [1, 2, 2, 0, 1]


def test_ranks_of_dense_models_that_tell_nothing_take_turns() -> None:
    base = scenario(1, STEP_S)
    pool = base.fleet.pools[0]
    rules = replace(pool.engine.rules, balancer="queues", tells_dense_counts=False)
    spec = replace(
        base, fleet=replace(base.fleet, pools=(replace(pool, engine=replace(pool.engine, rules=rules)),))
    )
    found = simulate(ranked(spec, 3, experts=False), load=poisson(500, 30, 20, 50))
    assert found.requests["replica"].to_pylist() == [f"serve/0.{i % 3}" for i in range(30)]
