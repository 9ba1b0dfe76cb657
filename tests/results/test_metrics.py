"""Every metric against a plain computation of its definition, and the examples that the field agrees on."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_engine import FakeRun, request_row

from simulator.results.gaps import Weighted
from simulator.results.metrics import DISTRIBUTIONS, SCALARS, evaluate
from simulator.results.record import Recorder
from simulator.results.run import RunResult, assemble
from simulator.results.sample import Sample, views
from simulator.results.statistics import PERCENTILES, describe
from simulator.results.timeline import ReplicaFacts
from simulator.scenario.resolved import Resolved, SloSpec


@pytest.fixture(scope="module")
def run(fake_run: FakeRun) -> RunResult:
    return fake_run(rate=12.0, n=600, replicas=2, keep_steps=True, output=60)


@pytest.fixture(scope="module")
def sample(run: RunResult) -> Sample:
    view = next(iter(views(run)))
    return view.sample(0.0, gaps=view.token_gaps(0.0))


@pytest.fixture(scope="module")
def figures(sample: Sample) -> dict[str, dict[str, float] | float]:
    return evaluate(sample)


def test_the_worked_example_of_the_field(scenario: Resolved) -> None:
    """Tokens at 0.50, 0.52, 0.54, 0.64 s: TTFT 500 ms, gaps 20, 20, 100 ms, TPOT 46.667 ms, E2E 640 ms."""
    import pyarrow as pa

    recorder = Recorder(1, [ReplicaFacts("serve/0", "serve", 1, 0.0, 0.0, 10)])
    recorder.sent_s = np.zeros(1)
    recorder.requests.append(request_row(0, 0, 0, 0.0, 0.5, 0.640625, 4))
    steps = ((0.0, 0.5, 0), (0.5, 0.01953125, 1), (0.51953125, 0.01953125, 1), (0.5390625, 0.1015625, 1))
    for start, length, decodes in steps:
        recorder.step_runs.append(
            (
                0,
                start,
                1,
                decodes,
                0,
                0 if decodes else 8,
                0,
                1 - decodes,
                1,
                length,
                0.0,
                1,
                1,
                0.0,
                0.0,
                0,
                0,
            )
        )
    columns = {"arrival_s": [0.0], "prompt_tokens": [8], "output_tokens": [4]}
    table = pa.table(
        {
            name: np.array(column, np.float64 if name == "arrival_s" else np.int32)
            for name, column in columns.items()
        }
    )
    view = next(iter(views(assemble(scenario, table, recorder))))
    found = evaluate(view.sample(0.0, gaps=view.token_gaps(0.0)))
    assert found["ttft_s"]["mean"] == 0.5
    assert found["e2e_s"]["mean"] == 0.640625
    assert found["tpot_s"]["mean"] == pytest.approx(0.140625 / 3)
    assert (found["itl_s"]["n"], found["itl_s"]["max"], found["itl_s"]["min"]) == (3, 0.1015625, 0.01953125)
    assert found["itl_s"]["p50"] == 0.01953125


def test_latencies_are_numpys_over_the_table(run: RunResult, figures: dict[str, dict[str, float]]) -> None:
    frame = run.requests.to_pandas()
    columns = {"ttft_s": frame.first_token_s - frame.sent_s, "e2e_s": frame.finish_s - frame.sent_s}
    columns["queue_s"] = frame.first_scheduled_s - frame.sent_s
    several = frame[frame.output_tokens > 1]
    columns["tpot_s"] = (several.finish_s - several.first_token_s) / (several.output_tokens - 1)
    for name, column in columns.items():
        values = column.to_numpy()
        assert figures[name]["n"] == len(values)
        assert figures[name]["mean"] == pytest.approx(values.mean())
        assert figures[name]["std"] == pytest.approx(values.std())
        for p in PERCENTILES:
            assert figures[name][f"p{p}"] == pytest.approx(np.percentile(values, p), rel=1e-12)


def test_itl_is_one_sample_a_gap(run: RunResult, figures: dict[str, dict[str, float]]) -> None:
    assert run.steps is not None
    steps = run.steps.to_pandas()
    gaps = np.repeat(steps.step_s.to_numpy(), steps.decodes.to_numpy())
    assert figures["itl_s"]["n"] == len(gaps) == int((run.requests["output_tokens"].to_numpy() - 1).sum())
    for p in PERCENTILES:
        assert figures["itl_s"][f"p{p}"] == pytest.approx(np.percentile(gaps, p), rel=1e-12)
    assert figures["itl_s"]["mean"] == pytest.approx(gaps.mean())
    assert figures["itl_s"]["std"] == pytest.approx(gaps.std())


def test_throughput_is_over_first_arrival_to_last_token(run: RunResult, figures: dict[str, float]) -> None:
    frame = run.requests.to_pandas()
    duration = frame.finish_s.max() - frame.sent_s.min()
    output, prompt = frame.output_tokens.sum(), frame.prompt_tokens.sum()
    price = 2 * 3.0 / 3600
    expected = {
        "request_throughput": len(frame) / duration,
        "output_throughput": output / duration,
        "total_throughput": (output + prompt) / duration,
        "output_throughput_per_accelerator": output / duration / 2,
        "requests_per_usd": len(frame) / (duration * price),
        "output_tokens_per_usd": output / (duration * price),
        "usd_per_million_output_tokens": 1e6 * duration * price / output,
        "usd_per_million_tokens": 1e6 * duration * price / (output + prompt),
        "joules_per_million_tokens": 1e6 * duration * 2 * 700 / (output + prompt),
        "input_output_ratio": prompt / output,
        "prefix_hit_rate": 0.0,
        "preemptions_per_request": 0.0,
    }
    for name, value in expected.items():
        assert figures[name] == pytest.approx(value), name


def test_work_is_that_of_the_steps(run: RunResult, figures: dict[str, float]) -> None:
    assert run.steps is not None
    steps = run.steps.to_pandas()
    elapsed = 2 * max(steps.end_s.max(), run.requests.to_pandas().finish_s.max())
    only = {
        "prefill_share": steps.decodes == 0,
        "decode_share": steps.chunks == 0,
        "mixed_share": (steps.decodes > 0) & (steps.chunks > 0),
    }
    for name, rows in only.items():
        assert figures[name] == pytest.approx(steps.step_s[rows].sum() / steps.step_s.sum()), name
    assert figures["busy"] == pytest.approx(steps.step_s.sum() / elapsed)
    assert figures["mfu"] == pytest.approx(steps.flops.sum() / (989.4e12 * elapsed), rel=1e-4)
    assert figures["mbu"] == pytest.approx(steps.bytes.sum() / (3.35e12 * elapsed), rel=1e-4)
    assert figures["intensity"] == pytest.approx(steps.flops.sum() / steps.bytes.sum(), rel=1e-4)
    assert figures["ridge"] == pytest.approx(989.4e12 / 3.35e12)
    assert figures["batch_size"] == pytest.approx(steps.decodes.mean())
    assert figures["kv_use"] == pytest.approx(
        (steps.used_blocks * steps.step_s).sum() / 4096 / elapsed, rel=1e-3
    )


def test_attainment_counts_every_end_but_unfinished(sample: Sample) -> None:
    slo = SloSpec(ttft_s=0.05, tpot_s=0.02, itl_s=0.012, e2e_s=None, attainment=0.9)
    judged = evaluate(replace(sample, slo=slo))
    ttft, tpot = sample.requests["ttft_s"], sample.requests["tpot_s"]
    good = (ttft <= 0.05) & ~(tpot > 0.02)
    assert judged["attainment"] == pytest.approx(good.mean())
    assert judged["goodput"] == pytest.approx(good.sum() / sample.duration_s)
    none = replace(sample, slo=slo, finished=np.zeros_like(sample.finished))
    assert evaluate(none)["attainment"] == 0.0
    assert sample.gaps is not None
    within = sample.gaps.weights[sample.gaps.seconds <= 0.012].sum() / sample.gaps.count()
    assert judged["itl_attainment"] == pytest.approx(within)


def test_every_metric_has_a_unit_and_a_definition_and_its_own_name() -> None:
    metrics = [*DISTRIBUTIONS, *SCALARS]
    assert len({metric.name for metric in metrics}) == len(metrics)
    assert all(metric.unit and metric.definition for metric in metrics)


def test_nothing_gives_no_figure(sample: Sample) -> None:
    empty = describe(np.empty(0))
    assert empty["n"] == 0
    assert math.isnan(empty["p99"])
    assert describe(None)["n"] == 0


@given(
    st.lists(
        st.tuples(st.integers(0, 1000), st.integers(1, 9)),
        min_size=1,
        max_size=30,
        unique_by=lambda pair: pair[0],
    )
)
def test_weighted_statistics_are_those_of_the_samples_spread_out(pairs: list[tuple[int, int]]) -> None:
    pairs = sorted(pairs)
    values, weights = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    found = describe(Weighted(values, weights, 0))
    plain = describe(np.repeat(values, weights) * 2.0**-28)
    for name, value in plain.items():
        assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-18), name
