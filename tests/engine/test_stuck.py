"""What the real engine would never finish is said, with the requests' rows."""

from __future__ import annotations

import numpy as np
import pytest
from runs import scenario

from simulator.errors import InputError
from simulator.simulate import simulate
from simulator.workload.columns import workload


def test_a_livelock_is_told_from_a_long_prefill() -> None:
    """One prompt larger than the cache is computed in part, preempted, and so on, for ever."""
    tight = scenario(
        step_s=0.01, num_gpu_blocks_override=5, max_model_len=512, max_num_batched_tokens=16,
        scheduler_reserve_full_isl=False, enable_prefix_caching=False,
    )  # fmt: skip
    load = workload(np.array([0.0]), np.array([100]), np.array([4]))
    with pytest.raises(InputError, match=r"serve/0.*livelock: no token in 1,\d+ steps.*row 0 \(100 tokens\)"):
        simulate(tight, load=load)


def test_a_prefill_of_thousands_of_steps_is_none() -> None:
    slow = scenario(step_s=0.01, max_model_len=40_000, max_num_batched_tokens=16, max_num_seqs=16)
    load = workload(np.array([0.0]), np.array([32_000]), np.array([2]))
    assert simulate(slow, load=load).counters["engine_steps"] == 2001


def test_a_request_that_can_never_be_admitted_is_named() -> None:
    tight = scenario(step_s=0.01, num_gpu_blocks_override=5, max_model_len=512)
    load = workload(np.zeros(2), np.array([10, 100]), np.array([4, 4]))
    with pytest.raises(InputError, match=r"stuck.*4 of 4 KV blocks are free: row 1 \(100 tokens\)"):
        simulate(tight, load=load)
