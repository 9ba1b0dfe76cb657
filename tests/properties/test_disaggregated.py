"""Random fleets with prefill pools: leaping, stepping and exact planning agree, and nothing is lost on
the way.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from disaggregated import disaggregated
from test_leaping import different

from simulator.simulate import simulate

CASES = 100
PER_TEST = 20
MORE = int(os.environ.get("LEAP_CASES", "3000"))


def _check(seed: int) -> None:
    made = disaggregated(seed)
    leaping = simulate(made.scenario, keep_steps=True, load=made.load)
    for how in ({"leap": False}, {"exact": True}, {"leap": False, "exact": True}):
        other = simulate(made.scenario, keep_steps=True, load=made.load, **how)
        assert not different(leaping, other), (seed, how)
    requests = leaping.requests
    moved = np.asarray(requests["prefill_replica"].is_valid())
    order = ["sent_s", "first_scheduled_s", "prefill_end_s", "load_start_s", "load_end_s", "decode_start_s"]
    times = np.array([requests[name].to_numpy() for name in [*order, "first_token_s", "finish_s"]])[:, moved]
    assert (np.diff(times, axis=0) >= 0).all(), seed
    assert requests["state"].to_pylist() == ["finished"] * len(made.load)


@pytest.mark.parametrize("first", range(0, CASES, PER_TEST))
def test_hand_overs_leap_like_they_step(first: int) -> None:
    for seed in range(first, first + PER_TEST):
        _check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(10_000, 10_000 + MORE, 500))
def test_hand_overs_leap_like_they_step_in_thousands_of_cases(first: int) -> None:
    for seed in range(first, first + 500):
        _check(seed)
