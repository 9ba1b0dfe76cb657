"""The summary: warm-up, saturation, intervals and verdict of whole runs."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from small_engine import FakeRun

from simulator.report import terminal
from simulator.results.metrics import SCALARS
from simulator.results.run import RunResult, merge
from simulator.results.summary import clean, summarise
from simulator.scenario.resolved import Resolved


@pytest.fixture(scope="module")
def stable(fake_run: FakeRun) -> RunResult:
    return fake_run(rate=12.0, n=4000)


@pytest.fixture(scope="module")
def overloaded(fake_run: FakeRun) -> RunResult:
    return fake_run(rate=300.0, n=2000)


def test_a_stable_run_has_every_figure_with_an_interval_around_it(stable: RunResult) -> None:
    summary = summarise(stable)
    assert summary["saturation"]["saturated"] is False
    for name in ("ttft_s", "tpot_s", "itl_s", "e2e_s"):
        metric = summary["metrics"][name]
        for key, interval in metric["interval"].items():
            assert interval["low"] <= metric[key] <= (interval["high"] or np.inf), (name, key)
    assert summary["metrics"]["ttft_s"]["interval"]["mean"]["method"].startswith("sectioning")
    assert summary["metrics"]["ttft_s"]["interval"]["p99"]["method"].startswith("effective size")
    assert summary["verdict"]["met"] is True
    assert summary["verdict"]["sentence"].startswith(
        "Meets the SLO: 100 % of 3,995 requests keep TTFT ≤ 2 s and TPOT ≤ 50 ms"
    )
    json.dumps(summary, allow_nan=False)


def test_no_interval_leaves_what_is_possible(fake_run: FakeRun) -> None:
    """Few replications of which most have no queue: Student's interval of its percentiles reaches below 0."""
    few = [
        fake_run(rate=rate, n=300, seed=number, replication=number)
        for number, rate in enumerate((1.0, 1.0, 30.0))
    ]
    metrics = summarise(merge(few))["metrics"]
    ends: list[tuple[str, float, float]] = []
    for name, entry in metrics.items():
        found = entry["interval"] or {}
        for one in [found] if "low" in found else list(found.values()):
            ends += [(name, one["low"], one["high"])] if one else []
    assert all(low >= 0 for _, low, _ in ends), ends
    assert any(low == 0 < high for name, low, high in ends if name == "queue_s")
    shares = [scalar.name for scalar in SCALARS if scalar.most == 1.0]
    assert len(shares) == 9
    assert all(high <= 1 for name, _, high in ends if name in shares)


def test_a_growing_queue_has_no_latencies_and_says_why(overloaded: RunResult) -> None:
    summary = summarise(overloaded)
    assert summary["saturation"]["saturated"] is True
    for name in ("ttft_s", "e2e_s", "queue_s"):
        assert summary["metrics"][name]["p99"] is None
        assert "arrive" in summary["metrics"][name]["refused"]
    for name in ("attainment", "goodput"):
        assert summary["metrics"][name]["value"] is None
    assert summary["metrics"]["tpot_s"]["p99"] > 0
    assert summary["metrics"]["output_throughput"]["value"] > 0
    assert summary["warmup"]["cut_s"] == 0.0
    assert summary["verdict"]["met"] is False
    assert summary["verdict"]["sentence"].startswith("Saturated: ")


def test_replications_are_saturated_when_half_of_them_are(fake_run: FakeRun) -> None:
    runs = [fake_run(rate=12.0, n=1000), fake_run(rate=60.0, n=5000, replication=1)]
    assert summarise(merge(runs))["saturation"]["saturated"] is True
    three = summarise(merge([*runs, fake_run(rate=12.0, n=1000, replication=2)]))
    assert three["saturation"]["saturated"] is False
    assert three["saturation"]["replications_saturated"] == 1
    assert three["metrics"]["ttft_s"]["p99"] is not None
    footing = list(terminal.footing(three))
    assert "near saturation: the queue still grows at the end of 1 of 3 replications" in footing


@pytest.mark.parametrize(("seconds", "left_out"), [(0.0, 0), (30.0, None)])
def test_a_given_warm_up_is_taken(stable: RunResult, seconds: float, left_out: int | None) -> None:
    given = replace(
        stable, scenario=replace(stable.scenario, run=replace(stable.scenario.run, warmup_s=seconds))
    )
    summary = summarise(given)
    sent = stable.requests["sent_s"].to_numpy()
    expected = int((sent < sent.min() + seconds).sum()) if left_out is None else left_out
    assert summary["warmup"]["dropped"] == expected
    assert summary["metrics"]["e2e_s"]["n"] == 4000 - expected


def test_the_shares_that_keep_each_bound(stable: RunResult) -> None:
    slo = replace(stable.scenario.slo, ttft_s=0.03, tpot_s=0.012, itl_s=0.011, attainment=0.999)
    summary = summarise(replace(stable, scenario=replace(stable.scenario, slo=slo)))
    kept = summary["slo"]["kept"]
    assert all(0 < share < 1 for share in kept.values())
    assert summary["verdict"]["met"] is False
    assert "Misses the SLO" in summary["verdict"]["sentence"]
    worst = {"ttft_s": "TTFT", "tpot_s": "TPOT", "itl_s": "ITL"}[min(kept, key=lambda name: kept[name])]
    assert f"{worst} is kept by" in summary["verdict"]["sentence"]


def test_an_itl_bound_alone_can_fail_a_run(stable: RunResult) -> None:
    slo = replace(stable.scenario.slo, ttft_s=None, tpot_s=None, itl_s=0.0101)
    assert summarise(replace(stable, scenario=replace(stable.scenario, slo=slo)))["verdict"]["met"] is False


def test_without_an_slo_there_is_no_verdict(stable: RunResult, scenario: Resolved) -> None:
    summary = summarise(replace(stable, scenario=replace(scenario, slo=None)))
    assert summary["slo"] is None
    assert summary["verdict"]["met"] is None
    assert "no SLO to judge by" in summary["verdict"]["sentence"]


def test_a_partial_run_says_so(stable: RunResult) -> None:
    assert summarise(replace(stable, complete=False))["verdict"]["sentence"].startswith("Partial run. ")


def test_a_handful_of_requests(fake_run: FakeRun) -> None:
    summary = summarise(fake_run(rate=1.0, n=3))
    assert summary["saturation"]["saturated"] is None
    assert summary["metrics"]["ttft_s"]["n"] == 3
    json.dumps(summary, allow_nan=False)


def test_what_json_cannot_hold_becomes_nothing() -> None:
    assert clean({"a": (np.float64("nan"), np.int64(3), float("inf"))}) == {"a": [None, 3, None]}
