"""How near a pool is to its limits: closed forms where steps are given, the simulation itself where not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from runs import poisson, scenario

from simulator.cost.fixed import FixedCost
from simulator.cost.work import Work
from simulator.fleet.demand import Demand, Room, full_steps, relieved, seconds
from simulator.results.bottleneck import bottleneck
from simulator.results.limits import BUDGET, KV, RESOURCES, SEQS, PoolLimits
from simulator.results.summary import summarise
from simulator.scenario.load import load as load_scenario
from simulator.simulate import simulate

STEP = FixedCost(0.01)
ROOM = Room(blocks=1000, block_tokens=16, seqs=8, budget=512, longest=4096)


def demand(**changes: float) -> Demand:
    base = Demand(
        prompts=100, tokens=100 * 128, pairs=100 * 128 * 129 / 2, answers=100, decodes=1900, keys=152
    )
    return replace(base, **changes)


def test_with_given_steps_a_request_takes_a_place_for_a_step_a_token() -> None:
    """20 tokens, 8 at a time, 10 ms: 100 requests take 100 · 20 / 8 steps."""
    assert seconds(STEP, full_steps(demand(), ROOM)) == pytest.approx(100 * 20 / 8 * 0.01)


def test_a_prefill_replica_fills_its_token_budget() -> None:
    (step,) = full_steps(demand(decodes=0.0), ROOM)
    assert step.work == Work(0, 0, ((128, 0),) * 4, 4)
    assert step.count == 25
    (long,) = full_steps(demand(decodes=0.0, tokens=100 * 2048, pairs=100 * 2048 * 2049 / 2), ROOM)
    assert [size for size, _ in long.work.chunks] == [512]
    assert long.work.chunks[0][1] == 768  # before the chunks of 2,048 tokens: 0, 512, 1,024, 1,536
    assert long.count == 400


def test_all_that_is_asked_for_is_in_the_steps() -> None:
    for asked in (
        demand(),
        demand(tokens=100 * 4000.0, pairs=100 * 4000 * 4001 / 2),
        demand(decodes=190_000),
    ):
        steps = full_steps(asked, ROOM)
        assert sum(step.count * step.work.decodes for step in steps) == pytest.approx(asked.decodes)
        done = sum(step.count * sum(size for size, _ in step.work.chunks) for step in steps)
        assert done == pytest.approx(asked.tokens)


@pytest.mark.parametrize(
    ("room", "helps", "useless"),
    [
        (ROOM, SEQS, KV),
        (replace(ROOM, blocks=40, seqs=1000), KV, SEQS),
        (replace(ROOM, budget=40), BUDGET, KV),
    ],
)
def test_twice_as_much_of_what_binds_helps_and_of_what_does_not_doesnt(
    room: Room, helps: str, useless: str
) -> None:
    asked = demand()
    now, with_more = seconds(STEP, full_steps(asked, room)), relieved(STEP, asked, room)
    assert with_more[helps] < 0.7 * now
    assert with_more[useless] == now


@pytest.mark.parametrize("rate", [200.0, 800.0])
def test_the_load_of_given_steps(rate: float) -> None:
    """λ · 20 steps · 10 ms / 8 places: 0.25 at 10 a second."""
    run = simulate(
        scenario(step_s=0.01, max_num_seqs=8, max_num_batched_tokens=8192),
        load=poisson(rate / 20, 2000, 64, 20),
    )
    (found,) = run.limits
    sent = run.requests["sent_s"].to_numpy()
    offered = 2000 / np.ptp(sent)
    assert found["serve"].load == pytest.approx(offered * 20 * 0.01 / 8, rel=0.01)
    assert found["serve"].bounds["overhead"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("prompt", "output", "rate"),
    [(300, 100, 180.0), (4000, 50, 30.0), (500, 900, 20.0)],
    ids=["chat", "prompts", "answers"],
)
def test_an_overloaded_fleet_serves_as_much_as_its_load_says(prompt: int, output: int, rate: float) -> None:
    """Requests that come too fast, of lengths far from constant: served rate · load = rate of arrival."""
    rng = np.random.default_rng(4)
    lengths = [rng.gamma(2.0, mean / 2, 3000).astype(int) + 1 for mean in (prompt, output)]
    run = simulate(scenario(replicas=2, max_num_seqs=64), load=poisson(rate, 3000, *lengths))
    summary = summarise(run)
    queue, load = summary["saturation"], run.limits[0]["serve"].load
    assert load is not None
    assert load > 1.2
    sent = run.requests["sent_s"].to_numpy()
    assert queue["served_per_s"] * load == pytest.approx(3000 / np.ptp(sent), rel=0.1)
    assert summary["pools"]["serve"]["limits"]["binds"] == SEQS
    assert "saturated at" in summary["verdict"]["limits"]["serve"]


def test_a_run_that_is_cut_short_has_the_load_of_what_it_saw() -> None:
    """Half of the arrivals in half of the time, not in all of it."""
    load = poisson(200.0, 4000, 128, 20)
    whole, half = (
        simulate(scenario(step_s=0.01, run={"duration_s": until}), load=load).limits[0]["serve"].load
        for until in (None, 10.0)
    )
    assert whole is not None
    assert half == pytest.approx(whole, rel=0.1)


def test_the_link_of_a_disaggregated_fleet_can_be_what_binds() -> None:
    path = "scenarios/rag-disaggregated.yaml"
    slow = ["workload.limit=400", "fleet.transfer.bandwidth=300 MB/s"]
    summary = summarise(simulate(load_scenario(path, slow)))
    for pool in ("prefill", "decode"):
        limits = summary["pools"][pool]["limits"]
        assert limits["binds"] == limits["then"] == "link", pool
        assert limits["load_with"]["link"] == pytest.approx(limits["load"] / 2)
        assert set(limits["shares"]) == set(limits["relief"]) == set(RESOURCES)
    assert "bound by the transfer link" in summary["verdict"]["limits"]["decode"]


def figures(**shares: float) -> PoolLimits:
    bounds = {"compute": 0.6, "bandwidth": 0.3, "interconnect": 0.0, "overhead": 0.1}
    load_with = dict.fromkeys(RESOURCES, 0.5) | {"compute": 0.4}
    return replace(PoolLimits(bounds, 0.0, None, None, 0.5, load_with), **shares)


@pytest.mark.parametrize(
    ("full", "limits", "binds"),
    [
        ({KV: 0.0, SEQS: 0.0}, figures(), "compute"),
        ({KV: 0.1, SEQS: 0.0}, figures(), KV),
        ({KV: 0.1, SEQS: 0.4}, figures(), SEQS),
        ({KV: 0.0, SEQS: 0.0}, figures(link_busy=0.7), "link"),
        ({KV: 0.0, SEQS: 0.0}, figures(full_steps=0.9), "compute"),
        (
            {KV: 0.0, SEQS: 0.0},
            figures(full_steps=0.9, load_with=figures().load_with | {BUDGET: 0.3}),
            BUDGET,
        ),
    ],
)
def test_what_is_used_up_binds_before_what_steps_are_bound_by(
    full: dict[str, float], limits: PoolLimits, binds: str
) -> None:
    made = scenario()
    found = bottleneck(made.fleet.pools[0], made.model, {"busy": 0.5, "mfu": 0.2, "mbu": 0.1}, full, [limits])
    assert found.binds == binds


def test_an_idle_pool_is_bound_by_nothing() -> None:
    made = scenario()
    idle = {"busy": 0.0, "mfu": 0.0, "mbu": 0.0}
    assert bottleneck(made.fleet.pools[0], made.model, idle, {KV: 0.0, SEQS: 0.0}, []).binds == ""
