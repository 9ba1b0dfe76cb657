"""Prefill and decode pools against colocated ones and against queues in tandem."""

from __future__ import annotations

import numpy as np
import pytest
from disaggregated import pair
from runs import poisson, scenario

from simulator.scenario.resolved import Resolved
from simulator.simulate import simulate

STEP_S = 0.01


def disaggregated(
    bytes_per_s: float = 1e15, latency_s: float = 0.0, prefill_seqs: int = 256, **engine: object
) -> Resolved:
    """One prefill and one decode replica with steps of STEP_S."""
    base = scenario(1, STEP_S, **({"async_scheduling": False, "enable_prefix_caching": False} | engine))
    return pair(base, {"max_num_seqs": prefill_seqs}, bytes_per_s, latency_s)


def test_without_load_a_request_takes_its_steps_and_the_way() -> None:
    """One step of prefill, the way, then one step a token: the last prompt token is computed again (R84)."""
    load = poisson(0.1, 50, 100, 7)
    result = simulate(disaggregated(latency_s=0.003), load=load).requests
    assert result["prefill_s"].to_numpy() == pytest.approx(STEP_S, abs=1e-8)
    assert result["transfer_s"].to_numpy() == pytest.approx(0.003, abs=0.0011)  # an idle engine polls (R87)
    assert result["decode_s"].to_numpy() == pytest.approx(7 * STEP_S, abs=1e-7)


def test_the_way_takes_the_bytes_of_the_prompt() -> None:
    """Llama-3.1-8B: 131,072 bytes a token in 16 bits; 100 tokens at 1 GB/s."""
    result = simulate(disaggregated(1e9), load=poisson(0.1, 20, 100, 2)).requests
    assert result["transfer_move_s"].to_numpy() == pytest.approx(100 * 131072 / 1e9, rel=1e-6)


def test_the_first_of_two_stages_is_the_queue_that_it_would_be_alone() -> None:
    """Prefill one prompt at a time: M/D/1. Its departures find room in decode: a step and a poll to wait."""
    load = poisson(0.7 / STEP_S, 20_000, 8, 1)
    result = simulate(disaggregated(prefill_seqs=1), load=load).requests
    waits = result["queue_s"].to_numpy()[2000:].reshape(30, -1).mean(axis=1)
    theory = 0.7 * STEP_S / (2 * 0.3)
    assert abs(waits.mean() - theory) < 3.3 * waits.std(ddof=1) / np.sqrt(30)
    assert result["transfer_s"].to_numpy().max() <= 2 * STEP_S + 0.0011


def test_a_slow_decode_side_holds_the_prefill_sides_blocks_then_stops_it() -> None:
    """The order of collapse: transfers grow first, then queues at the entry, while blocks are never lost
    (R81).
    """
    load = poisson(40.0, 1500, 160, 40)
    tight = simulate(disaggregated(max_num_seqs=8, num_gpu_blocks_override=400), load=load).requests
    transfer, queue = tight["transfer_s"].to_numpy(), tight["queue_s"].to_numpy()
    early, late = slice(5, 35), slice(1000, 1300)
    assert transfer[early].mean() > 10 * queue[early].mean()
    assert queue[late].mean() > queue[early].mean() * 10
    assert set(tight["state"].to_pylist()) == {"finished"}
