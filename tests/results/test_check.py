"""The laws that every run is held to: each one breaks on a run that is wrong in that way only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
import runs
from small_engine import request_row

from simulator.results.check import check
from simulator.results.record import Recorder
from simulator.results.run import RunResult, assemble
from simulator.results.timeline import ReplicaFacts
from simulator.scenario.resolved import Resolved
from simulator.simulate import simulate
from simulator.workload.columns import workload


@pytest.fixture(scope="module")
def run(fake_run: Callable[..., RunResult]) -> RunResult:
    return fake_run(rate=9.0, n=300)


def changed(table: pa.Table, name: str, row: int, value: float) -> pa.Table:
    column = table[name].to_numpy().copy()
    column[row] = value
    return table.set_column(table.column_names.index(name), name, pa.array(column, from_pandas=True))


def test_littles_law_holds_and_is_the_textbooks(run: RunResult) -> None:
    little = check(run.requests, run.timeline)["little"]
    assert little["in_system"] == pytest.approx(little["rate_per_s"] * little["time_s"])
    assert little["time_s"] == pytest.approx(run.requests["e2e_s"].to_numpy().mean())


@pytest.mark.parametrize(
    ("name", "row", "value", "law"),
    [
        ("first_scheduled_s", 5, -1.0, "request 5: first_scheduled_s -1.0 before sent_s"),
        ("first_token_s", 7, 0.0, "request 7: first_token_s"),
        ("queue_s", 3, 99.0, "request 3: .* sum to"),
        ("emitted", 2, 0, "request 2 finished with 0 of"),
        ("hit_tokens", 2, 10_000, "more prefix hits than prompt tokens"),
        ("sent_s", 0, 1e-3, "before|Little"),
    ],
)
def test_a_request_out_of_order_is_found(run: RunResult, name: str, row: int, value: float, law: str) -> None:
    with pytest.raises(AssertionError, match=law):
        check(changed(run.requests, name, row, value), run.timeline)


def test_a_latency_that_is_not_the_time_in_the_system_breaks_littles_law(run: RunResult) -> None:
    shifted = run.requests
    for name in ("e2e_s", "decode_s", "decode_own_s"):
        shifted = changed(shifted, name, 4, shifted[name][4].as_py() + 0.5)
    with pytest.raises(AssertionError, match="Little's law"):
        check(shifted, run.timeline)


@pytest.mark.parametrize(
    ("name", "value", "law"),
    [
        ("busy", 1.5, "steps overlap"),
        ("kv_use", 1.5, "KV blocks"),
        ("decode_tokens", -(10**6), "decoded"),
        ("prefill_tokens", -(10**6), "prefilled"),
    ],
)
def test_bins_that_cannot_be_are_found(run: RunResult, name: str, value: float, law: str) -> None:
    with pytest.raises(AssertionError, match=law):
        check(run.requests, changed(run.timeline, name, 0, value))


def test_a_request_without_an_end_is_found(scenario: Resolved) -> None:
    recorder = Recorder(2, [ReplicaFacts("serve/0", "serve", 1, 0.0, 0.0, 10)])
    recorder.sent_s = np.zeros(2)
    recorder.requests.append(request_row(0, 1, -1, np.nan, np.nan, 0.0, 0))
    one = np.ones(2, np.int32)
    table = pa.table({"arrival_s": np.zeros(2), "prompt_tokens": one, "output_tokens": one})
    with pytest.raises(AssertionError, match="no end of 1 requests, the first is 1"):
        assemble(scenario, table, recorder)
    partial = assemble(scenario, table, recorder, complete=False)
    assert partial.requests["state"].to_pylist() == ["refused", "unfinished"]
    assert partial.requests["e2e_s"].to_pylist() == [0.0, None]
    assert partial.requests["replica"].to_pylist() == [None, None]


def test_two_ends_of_one_request_are_found(scenario: Resolved) -> None:
    recorder = Recorder(1, [ReplicaFacts("serve/0", "serve", 1, 0.0, 0.0, 10)])
    recorder.sent_s = np.zeros(1)
    recorder.requests += [request_row(0, 1, -1, np.nan, np.nan, 0.0, 0)] * 2
    one = np.ones(1, np.int32)
    table = pa.table({"arrival_s": np.zeros(1), "prompt_tokens": one, "output_tokens": one})
    with pytest.raises(AssertionError, match="2 ends of 1 requests"):
        assemble(scenario, table, recorder)


def test_a_prompt_that_was_preempted_may_be_found_where_it_was_not_at_first() -> None:
    """Twin prompts in a cache for little more than one: the younger resumes on the other's KV."""
    tight = runs.scenario(
        step_s=0.01, num_gpu_blocks_override=9, max_model_len=144, max_num_batched_tokens=8, max_num_seqs=4,
        long_prefill_token_threshold=4, scheduler_reserve_full_isl=False, async_scheduling=False,
    )  # fmt: skip
    load = workload(
        np.zeros(2), np.full(2, 112), np.ones(2, int),
        segment_offset=np.arange(3), segment_id=np.full(2, 5), segment_tokens=np.full(2, 112),
    )  # fmt: skip
    result = simulate(tight, load=load)
    assert result.requests["hit_tokens"].to_pylist() == [0, 0]
    assert result.requests["preemptions"][1].as_py() > 0
    assert result.timeline["prefill_tokens"].to_numpy().sum() < 2 * 112
