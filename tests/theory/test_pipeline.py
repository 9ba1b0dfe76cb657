"""Pipelines against closed forms, a tandem line of our own and an engine core of our own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipelines import Asked, Core, staged, with_engine
from runs import poisson, scenario

from simulator.cost.pipeline import Passage
from simulator.engine.tandem import Tandem
from simulator.simulate import simulate
from simulator.workload.columns import workload

STEP_S = 0.0625
N = 200
times = st.integers(1, 50).map(lambda units: units / 64)  # exact in binary


@given(st.integers(1, 5).flatmap(lambda p: st.lists(st.lists(times, min_size=p, max_size=p), min_size=1)))
def test_steps_leave_stages_as_customers_leave_a_tandem_line(services: list[list[float]]) -> None:
    """D(i, s) = max(D(i, s − 1), D(i − 1, s)) + S(i, s)."""
    line = Tandem(len(services[0]))
    before = [0.0] * len(services[0])
    for service in services:
        left = line.enter(Passage(0.0, tuple(service)), 0.0)
        own: list[float] = []
        for stage, length in enumerate(service):
            own.append(max(own[-1] if own else 0.0, before[stage]) + length)
        assert [end for _, end in left] == own
        assert all(start == end - length for (start, end), length in zip(left, service, strict=True))
        before = own


def test_a_stage_s_cpu_works_while_the_stage_before_computes() -> None:
    """Alone a step takes the CPU's time once; in a full pipeline each step costs every stage that time."""
    line = Tandem(3)
    assert line.enter(Passage(1.0, (2.0, 2.0, 2.0)), 0.0)[-1][1] == 7.0
    assert [line.enter(Passage(1.0, (2.0, 2.0, 2.0)), 0.0)[-1][1] for _ in range(3)] == [10.0, 13.0, 16.0]


@pytest.mark.parametrize("stages", [1, 2, 4])
@pytest.mark.parametrize("is_async", [False, True])
def test_equal_steps_leave_a_full_pipeline_one_stage_apart(stages: int, is_async: bool) -> None:
    """Prompts of a whole budget, one token each: the k-th ends after the sum of the stages and k slowest."""
    spec = scenario(
        step_s=STEP_S, max_num_batched_tokens=64, max_num_seqs=64, async_scheduling=is_async,
        enable_prefix_caching=False,
    )  # fmt: skip
    load = workload(np.zeros(N), np.full(N, 64), np.ones(N, int))
    result = simulate(staged(spec, stages), load=load)
    finish = np.sort(result.requests["finish_s"].to_numpy())
    assert (finish == STEP_S + np.arange(N) * STEP_S / stages).all()
    busy, start = (result.timeline[name].to_numpy() for name in ("busy", "start_s"))
    assert busy[(start > STEP_S) & (start < finish[-1] - 2 * STEP_S)] == pytest.approx(1.0)


@pytest.mark.parametrize("stages", [2, 3, 4])
@pytest.mark.parametrize(
    ("is_async", "chunks"), [(False, False), (False, True), (True, True)], ids=["0.8", "0.11", "0.33"]
)
@pytest.mark.parametrize("seed", range(6))
def test_an_engine_core_written_twice(stages: int, is_async: bool, chunks: bool, seed: int) -> None:
    """Every first and last token of a random load, to a grid unit a step."""
    rng = np.random.default_rng(seed)
    prompt, output = rng.integers(1, 300, N), rng.integers(1, 40, N)
    budget, seqs = int(rng.choice([32, 64, 512])), int(rng.choice([8, 32]))
    load = poisson(float(rng.choice([10, 40, 200])), N, prompt, output, seed)
    spec = scenario(
        step_s=STEP_S, max_num_batched_tokens=budget, max_num_seqs=seqs, async_scheduling=is_async,
        enable_prefix_caching=False,
    )  # fmt: skip
    rules = replace(spec.fleet.pools[0].engine.rules, chunks_in_flight=chunks)
    result = simulate(staged(with_engine(spec, rules=rules), stages), load=load)
    requests = [
        Asked(row, float(arrival), int(tokens), int(answer))
        for row, (arrival, tokens, answer) in enumerate(zip(load.arrival_s, prompt, output, strict=True))
    ]
    Core(stages, STEP_S, budget, seqs, is_async, chunks).run(requests)
    for name, mine in (("first_token_s", "first_s"), ("finish_s", "finish_s")):
        expected = np.array([getattr(request, mine) for request in requests])
        assert result.requests[name].to_numpy() == pytest.approx(expected, abs=1e-4), name
