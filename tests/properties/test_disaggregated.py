"""Random fleets with prefill pools: leaping, stepping and exact planning agree, and nothing is lost on
the way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from disaggregated import disaggregated, handed
from fleets import Case, case
from test_leaping import different

from simulator.results.summary import summarise
from simulator.scenario.resolved import TransferSpec
from simulator.simulate import simulate

CASES = 100
PER_TEST = 20
MORE = int(os.environ.get("LEAP_CASES", "3000"))


def _check(seed: int, draw: Callable[[int], Case] = disaggregated) -> None:
    made = draw(seed)
    transfer = made.scenario.fleet.transfer
    assert transfer is not None
    leaping = simulate(made.scenario, keep_steps=True, load=made.load)
    for how in ({"leap": False}, {"exact": True}, {"leap": False, "exact": True}):
        other = simulate(made.scenario, keep_steps=True, load=made.load, **how)
        assert not different(leaping, other), (seed, how)
    requests = leaping.requests
    moved = np.asarray(requests["prefill_replica"].is_valid())
    for order in _orders(transfer):
        times = np.array([requests[name].to_numpy() for name in order])[:, moved]
        assert (np.diff(times, axis=0) >= 0).all(), (seed, order)
    assert requests["state"].to_pylist() == ["finished"] * len(made.load)


def _orders(transfer: TransferSpec) -> list[list[str]]:
    """What follows on what."""
    prompt = ["sent_s", "first_scheduled_s", "prefill_end_s", "load_end_s", "decode_start_s", "finish_s"]
    told = {
        "decode": ["decode_start_s", "first_token_s", "finish_s"],
        "prefill": ["prefill_end_s", "first_token_s", "prefill_end_s"],
        "relayed": ["decode_start_s", "first_token_s", "decode_start_s"],
    }[transfer.first_token]
    streamed = transfer.sends != "prompt"
    load = ["first_scheduled_s" if streamed else "prefill_end_s", "load_start_s", "load_end_s"]
    return [prompt, told, load]


@pytest.mark.parametrize("first", range(0, CASES, PER_TEST))
def test_every_way_to_hand_over_leaps_like_it_steps(first: int) -> None:
    for seed in range(first, first + PER_TEST):
        _check(seed, handed)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("draw", [case, handed], ids=["alone", "handed"])
def test_a_run_that_is_cut_is_cut_alike(seed: int, draw: Callable[[int], Case]) -> None:
    """At any instant: rows of those under way, their tokens so far, and figures of what is there."""
    made = draw(seed)
    end = float(np.nanmax(simulate(made.scenario, load=made.load).requests["finish_s"].to_numpy()))
    for share in (0.2, 0.7):
        run = replace(made.scenario.run, duration_s=end * share)
        cut = replace(made.scenario, run=run)
        leaping, stepping = (simulate(cut, load=made.load, leap=leap) for leap in (True, False))
        assert leaping.requests.equals(stepping.requests), (seed, share)
        assert not (leaping.requests["transfer_wait_s"].to_numpy() < 0).any(), (seed, share)
        summarise(leaping)


@pytest.mark.parametrize("first", range(0, CASES, PER_TEST))
def test_hand_overs_leap_like_they_step(first: int) -> None:
    for seed in range(first, first + PER_TEST):
        _check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(10_000, 10_000 + MORE, 500))
def test_hand_overs_leap_like_they_step_in_thousands_of_cases(first: int) -> None:
    for seed in range(first, first + 500):
        _check(seed)
