"""Pipelines in a fleet, from the scenario to the timeline: memory, busy, MFU, hand-over, load."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pipelines import staged, with_engine
from runs import poisson, scenario

from simulator import catalog
from simulator.catalog import Link
from simulator.fleet.build import price
from simulator.results.run import RunResult
from simulator.scenario.resolved import ModelSpec, Plugin, Resolved, TransferSpec
from simulator.simulate import simulate

LARGE = ModelSpec(catalog.load("models", "llama-3.1-70b"), "none", "bf16", "bf16", "bf16")


def large(tp: int, stages: int, **engine: object) -> Resolved:
    """Llama-3.1-70B on so many H100s."""
    made = staged(with_engine(scenario(enable_prefix_caching=False), max_model_len=8192, **engine), stages)
    pool = made.fleet.pools[0]
    pool = replace(pool, layout=replace(pool.layout, tensor_parallel_size=tp))
    return replace(made, model=LARGE, fleet=replace(made.fleet, pools=(pool,)))


def _work(result: RunResult) -> dict[str, np.ndarray]:
    return {name: result.timeline[name].to_numpy() for name in ("busy", "mfu", "mbu", "kv_use")}


def test_a_pipeline_has_the_blocks_of_its_layers() -> None:
    """Four accelerators hold the weights once, whether cut by tensor or by pipeline; so for what is left."""
    four, piped = (price(large(tp, stages))[0] for tp, stages in ((4, 1), (2, 2)))
    assert piped.blocks == pytest.approx(four.blocks, rel=0.1)
    assert [facts.accelerators for facts in piped.facts] == [4]


@pytest.mark.parametrize("is_async", [False, True])
def test_shares_are_per_accelerator(is_async: bool) -> None:
    result = simulate(large(2, 4, async_scheduling=is_async), load=poisson(20, 300, 1500, 200))
    for name, values in _work(result).items():
        assert np.nanmax(values) <= 1.0, name
    steps = result.timeline["flops"].to_numpy().sum()
    assert steps == pytest.approx(2 * 70e9 * 300 * 1700, rel=0.15)


def test_turns_fill_a_pipeline_and_one_batch_for_all_does_not() -> None:
    """Under one load those who decode are one batch with synchronous scheduling, and stages take turns."""
    load = poisson(20, 2000, 8, 20)
    for is_async, share in ((False, 0.5), (True, 1.0)):
        spec = scenario(step_s=2.0**-4, async_scheduling=is_async, enable_prefix_caching=False)
        busy = _work(simulate(staged(spec, 2), load=load))["busy"]
        assert np.median(busy) == pytest.approx(share), is_async


def test_parts_tell_what_other_batches_add() -> None:
    """Alone nothing is added to a token's time; among others stages are held by other batches."""
    alone = simulate(large(2, 4), load=poisson(0.01, 5, 200, 50)).requests
    assert (alone["decode_stretched_s"].to_numpy() == 0.0).all()
    many = simulate(large(2, 4), load=poisson(30, 300, 1000, 100)).requests
    assert many["decode_stretched_s"].to_numpy().mean() > 0.1 * many["decode_own_s"].to_numpy().mean()


def test_prefill_and_decode_pools_may_both_be_pipelines() -> None:
    base = large(2, 2)
    pool = base.fleet.pools[0]
    link = Link(name="test", bytes_per_s=50e9, latency_s=2e-5, source="a test")
    pools = tuple(replace(pool, name=role, role=role) for role in ("prefill", "decode"))
    fleet = replace(
        base.fleet, pools=pools, router=Plugin("round_robin"), transfer=TransferSpec("nixl", link)
    )
    result = simulate(replace(base, fleet=fleet), load=poisson(5, 200, 1000, 50))
    requests = result.requests
    assert set(requests["state"].to_pylist()) == {"finished"}
    moved = requests["transfer_move_s"].to_numpy()
    assert moved.min() == pytest.approx(2e-5 + 1000 * 327680 / 50e9, rel=1e-3)
