"""Rows become columns, gaps and bins: the same in any order, and equal to counting by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import numpy as np
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import InputError
from simulator.results.gaps import Counting, Runs, expand, inter_token
from simulator.results.record import Recorder
from simulator.results.run import RunResult
from simulator.results.timeline import Bins, ReplicaFacts
from simulator.units import GRID_S, on_grid

REPLICAS = [ReplicaFacts("a", "p", 1, 1e15, 3e12, 100), ReplicaFacts("b", "p", 2, 2e15, 6e12, 200)]

Drawn = tuple[int, float, int, int, int, float, float, float, int, int]


def as_row(drawn: Drawn) -> tuple[float, ...]:
    """A step row as the engine makes them: one without decodes is a prefill."""
    replica, start, steps, decodes, context, base, per_token, flops, first, last = drawn
    tokens, chunks = (0, 0) if decodes else (64, 1)
    times = (base, per_token, first, last)
    return (
        replica,
        start,
        steps,
        decodes,
        context,
        tokens,
        0,
        chunks,
        decodes,
        *times,
        flops,
        flops / 100,
        0,
        0,
    )


step_rows = st.tuples(
    st.integers(0, 1),
    st.floats(0, 50).map(on_grid),
    st.integers(1, 30),
    st.integers(0, 20),
    st.integers(0, 10_000),
    st.floats(1e-4, 0.3).map(on_grid),
    st.floats(0, 1e-6),
    st.floats(0, 1e16),
    st.integers(0, 100),
    st.integers(0, 100),
).map(as_row)


def recorded(rows: list[tuple[float, ...]], flush_every: int, bin_s: float | None = None) -> Recorder:
    recorder = Recorder(0, REPLICAS, keep_steps=True, bin_s=bin_s)
    for row in rows:
        recorder.step_runs.append(row)
        if len(recorder.step_runs) >= flush_every:
            recorder.flush_steps()
    return recorder


@given(st.lists(step_rows, min_size=1, max_size=40), st.randoms(), st.integers(1, 40))
def test_order_and_flushes_change_nothing(rows: list[tuple[float, ...]], random: Random, every: int) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, two = recorded(rows, 1000), recorded(shuffled, every)
    assert one.bins().width == two.bins().width
    np.testing.assert_array_equal(one.bins().sums, two.bins().sums)
    first, second = inter_token(one.runs()), inter_token(two.runs())
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(first.weights, second.weights)


@given(st.lists(step_rows, min_size=1, max_size=20))
def test_bins_put_together_are_the_wider_bins(rows: list[tuple[float, ...]]) -> None:
    fine, coarse = recorded(rows, 7, bin_s=0.125).bins(), recorded(rows, 7, bin_s=0.25).bins()
    pairs = fine.sums[:, :, ::2] + fine.sums[:, :, 1::2]
    size = min(pairs.shape[2], coarse.sums.shape[2])
    np.testing.assert_array_equal(pairs[:, :, :size], coarse.sums[:, :, :size])


@given(st.lists(step_rows, min_size=1, max_size=20))
def test_gaps_are_those_of_each_step(rows: list[tuple[float, ...]]) -> None:
    counted: Counter[int] = Counter()
    for (
        _,
        start,
        steps,
        decodes,
        context,
        *_rest,
    ) in rows:
        base, per_token = _rest[4], _rest[5]
        last = start
        for j in range(1, steps + 1):
            end = start + on_grid(j * base + per_token * (j * context + decodes * j * (j - 1) // 2))
            counted[round((end - last) / GRID_S)] += decodes
            last = end
    counted = Counter({value: weight for value, weight in counted.items() if weight})
    gaps = inter_token(recorded(rows, 9).runs())
    assert dict(zip(gaps.values.tolist(), gaps.weights.tolist(), strict=True)) == dict(counted)


@given(st.lists(step_rows, min_size=1, max_size=20))
def test_the_sums_are_those_of_the_rows(rows: list[tuple[float, ...]]) -> None:
    recorder = recorded(rows, 1000)
    table = recorder.bins().columns(REPLICAS, recorder.bins().end * GRID_S)
    assert table["steps"].sum() == sum(row[2] for row in rows)
    assert table["prefill_tokens"].sum() == sum(row[5] for row in rows)
    assert table["decode_tokens"].sum() == sum(row[2] * row[3] for row in rows)
    np.testing.assert_allclose(
        table["flops"].sum(), sum(row[13] for row in rows), rtol=1e-6, atol=2**20 * len(rows)
    )
    steps = expand(recorder.runs())
    assert np.all(steps.end_s > steps.start_s)


def test_many_values_are_counted_coarser_and_no_sample_is_lost() -> None:
    values, weights = np.arange(1000), np.ones(1000, np.int64)
    counting = Counting(limit=100)
    for part in np.array_split(np.random.default_rng(1).permutation(1000), 7):
        counting.add(values[part], weights[part])
    result = counting.result()
    assert result.count() == 1000
    assert result.unit == GRID_S * 16
    np.testing.assert_array_equal(result.values, np.arange(63))


def test_a_run_as_a_table_equals_its_steps_one_by_one() -> None:
    runs = Runs(*(np.array(column) for column in ([1.0], [3], [2], [10], [0.5], [0.25], [2], [10])))
    steps = expand(runs)
    np.testing.assert_array_equal(steps.end_s, [1 + 0.5 + 2.5, 1 + 1.0 + 0.25 * 22, 1 + 1.5 + 0.25 * 36])
    np.testing.assert_array_equal(steps.start_s, [1.0, 4.0, 7.5])


def test_the_width_doubles_until_the_run_fits() -> None:
    bins = Bins(1, None)
    assert bins.bins == 4096
    assert Bins(1024, None).bins == 256
    recorder = Recorder(0, REPLICAS)
    recorder.step_runs.append((0, 9999.0, 1, 1, 0, 0, 0, 0, 1, 1.0, 0.0, 1, 1, 0.0, 0.0, 0, 0))
    assert recorder.bins().width * GRID_S == 4.0


def test_bins_too_fine_for_the_run_are_refused() -> None:
    recorder = Recorder(0, REPLICAS, bin_s=1e-9)
    recorder.step_runs.append((0, 9999.0, 1, 1, 0, 0, 0, 0, 1, 1.0, 0.0, 1, 1, 0.0, 0.0, 0, 0))
    with pytest.raises(InputError, match=r"run.bin: .* too fine for 1e\+04 s"):
        recorder.bins()


def test_the_time_averages_are_those_of_the_requests(fake_run: Callable[..., RunResult]) -> None:
    run = fake_run(rate=8.0, n=400, replicas=2, keep_steps=True, output=80)
    timeline, requests = run.timeline, run.requests
    spent = pc.sum(pc.multiply(timeline["waiting"], timeline["width_s"])).as_py()
    np.testing.assert_allclose(spent, pc.sum(requests["queue_s"]).as_py(), rtol=1e-9)
    spent = pc.sum(pc.multiply(timeline["running"], timeline["width_s"])).as_py()
    service = pc.sum(pc.add(requests["prefill_s"], requests["decode_s"])).as_py()
    np.testing.assert_allclose(spent, service, rtol=1e-9)
    assert run.steps is not None
    assert pc.sum(timeline["steps"]).as_py() == len(run.steps)
    assert pc.max(timeline["busy"]).as_py() <= 1.0
    busy = pc.sum(pc.multiply(timeline["busy"], timeline["width_s"])).as_py()
    np.testing.assert_allclose(busy, pc.sum(run.steps["step_s"]).as_py(), rtol=1e-9)


def test_parts_sum_to_the_whole_to_the_last_bit(fake_run: Callable[..., RunResult]) -> None:
    requests = fake_run(rate=6.0, n=500).requests
    parts = [requests[name].to_numpy() for name in ("queue_s", "prefill_s", "decode_s")]
    np.testing.assert_array_equal(parts[0] + parts[1] + parts[2], requests["e2e_s"].to_numpy())
    np.testing.assert_array_equal(parts[2] + parts[0] + parts[1], requests["e2e_s"].to_numpy())
    assert requests["tpot_s"].null_count == pc.sum(pc.equal(requests["output_tokens"], 1)).as_py()
