"""Random pipelines: nothing is lost, lanes' totals are what a count says, and totals change nothing."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import pytest
from fleets import Case
from pipelines import staged_case
from test_leaping import different

from simulator.engine.lanes import Lane
from simulator.engine.pipelined import Pipelined
from simulator.engine.request import Request
from simulator.engine.step import Step
from simulator.results.gaps import inter_token
from simulator.results.run import RunResult
from simulator.simulate import simulate

CASES = 60
PER_TEST = 20
MORE = int(os.environ.get("LEAP_CASES", "3000"))


def _check(seed: int) -> None:
    made = staged_case(seed)
    with _watched():
        result = simulate(made.scenario, keep_steps=True, load=made.load)
    other = simulate(made.scenario, keep_steps=True, load=made.load, exact=True)
    assert not different(result, other), seed
    _nothing_lost(made, result, seed)
    _in_flight(made, result, seed)


def _nothing_lost(made: Case, result: RunResult, seed: int) -> None:
    """Conservation of time and tokens is asserted by every run; here: all end, with all their tokens."""
    requests = result.requests
    assert requests["state"].to_pylist() == ["finished"] * len(made.load), seed
    limit = made.scenario.fleet.pools[0].engine.max_model_len
    wanted = np.minimum(
        np.minimum(made.load.output_tokens, made.load.max_tokens), limit - made.load.prompt_tokens
    )
    assert (requests["emitted"].to_numpy() == wanted).all(), seed
    assert result.gaps is not None
    gaps = inter_token(*result.gaps[0])
    assert gaps.count() == (wanted - 1).sum(), seed
    between = (requests["finish_s"].to_numpy() - requests["first_token_s"].to_numpy()).sum()
    assert (gaps.values * gaps.weights).sum() * gaps.unit == pytest.approx(between, abs=1e-6), seed


def _in_flight(made: Case, result: RunResult, seed: int) -> None:
    """Steps leave in the order in which they enter, and at most as many as stages are on their way."""
    stages = {pool.name: pool.layout.pipeline_parallel_size for pool in made.scenario.fleet.pools}
    spans: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for replica, start, end in zip(
        result.steps["replica"].to_pylist(),
        *(result.steps[name].to_pylist() for name in ("start_s", "end_s")),
    ):
        spans[replica].append((start, end))
    for replica, found in spans.items():
        most = stages[replica.rpartition("/")[0]]
        ends = [end for _, end in found]
        assert found == sorted(found) and ends == sorted(ends), (seed, replica)
        assert all(end <= start for end, (start, _) in zip(ends, found[most:])), (seed, replica)


@contextmanager
def _watched() -> Iterator[None]:
    """Every plan is followed by a count."""
    planned = Pipelined.planned

    def watched(self: Pipelined, lane: Lane, now: float) -> Step:
        step = planned(self, lane, now)
        for each in self.lanes:
            _count(self, each)
        assert len(self.flights) <= len(self.lanes) - 1 + self.batch.args.async_scheduling
        _at_most_once(self, step)
        return step

    with patch.object(Pipelined, "planned", watched):
        yield


def _count(engine: Pipelined, lane: Lane) -> None:
    """A lane's totals are those of its requests, with those that a stop token has ended (R72)."""
    batch = engine.batch
    totals = batch if batch.lane is lane else lane
    mine = [request for leaving in totals.leaves.values() for request in leaving]
    running = {request for request in batch.running if request.since >= 0 and request.lane is lane}
    assert running == set(mine) & batch.running.keys()
    due = [0] * batch.args.block_size
    for request in mine:
        due[(request.since - request.target) % len(due)] += 1
    keys = sum(batch.computed(request) + 1 for request in mine)
    assert (totals.decodes, totals.context_sum, totals.due) == (len(mine), keys, due)


def _at_most_once(engine: Pipelined, step: Step) -> None:
    """A prompt's chunk is in no other batch where the release says so (R75)."""
    if engine.batch.args.rules.chunks_in_flight:
        return
    others: set[Request] = {request for flight in engine.flights for request in flight.step.requests}
    assert not others & set(step.requests)


@pytest.mark.parametrize("first", range(0, CASES, PER_TEST))
def test_pipelines_lose_nothing(first: int) -> None:
    for seed in range(first, first + PER_TEST):
        _check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(10_000, 10_000 + MORE, 500))
def test_pipelines_lose_nothing_in_thousands_of_cases(first: int) -> None:
    for seed in range(first, first + 500):
        _check(seed)
