"""Random fleets of data-parallel ranks: nothing is lost, ranks keep step, and leaping changes nothing."""

from __future__ import annotations

import os
from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
from fleets import Case
from ranks import ranked_case
from test_leaping import different

from simulator.errors import InputError
from simulator.results.run import RunResult
from simulator.simulate import simulate

CASES = 60
PER_TEST = 20
MORE = int(os.environ.get("LEAP_CASES", "3000"))


def _outcome(made: Case, **how: bool) -> RunResult | str:
    """What came out, or that the engine itself would never end."""
    try:
        return simulate(made.scenario, keep_steps=True, load=made.load, **how)
    except InputError as error:
        return str(error)


def _check(seed: int) -> None:
    made = ranked_case(seed)
    leaping = _outcome(made)
    for how in ({"leap": False}, {"exact": True}):
        other = _outcome(made, **how)
        if isinstance(leaping, str) or isinstance(other, str):
            assert leaping == other, (seed, how)
            assert "livelock" in str(other), (seed, how)
        else:
            assert not different(leaping, other), (seed, how)
    if not isinstance(leaping, str):
        _whole(made, leaping, seed)


def _whole(made: Case, leaping: RunResult, seed: int) -> None:
    """Every request has had all its tokens."""
    requests = leaping.requests
    assert requests["state"].to_pylist() == ["finished"] * len(made.load), seed
    limit = made.scenario.fleet.pools[0].engine.max_model_len
    wanted = np.minimum(
        np.minimum(made.load.output_tokens, made.load.max_tokens), limit - made.load.prompt_tokens
    )
    assert (requests["emitted"].to_numpy() == wanted).all(), seed
    if made.scenario.model.shape.moe_layers:
        _in_step(leaping, seed)


def _in_step(result: RunResult, seed: int) -> None:
    """Two ranks of a replica run a step from the same instant to the same instant, or not at once."""
    spans: defaultdict[str, set[tuple[float, float]]] = defaultdict(set)
    for replica, start, end in zip(
        result.steps["replica"].to_pylist(),
        *(result.steps[name].to_pylist() for name in ("start_s", "end_s")),
    ):
        spans[replica.rpartition(".")[0]].add((start, end))
    for found in spans.values():
        order = sorted(found)
        assert all(end <= start for (_, end), (start, _) in pairwise(order)), seed


@pytest.mark.parametrize("first", range(0, CASES, PER_TEST))
def test_ranks_keep_step_and_lose_nothing(first: int) -> None:
    for seed in range(first, first + PER_TEST):
        _check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(10_000, 10_000 + MORE, 500))
def test_ranks_keep_step_in_thousands_of_cases(first: int) -> None:
    for seed in range(first, first + 500):
        _check(seed)
