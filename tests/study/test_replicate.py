"""Replications: the same on any number of processes, as many as a precision needs, bounded, told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from runs import scenario

from simulator.errors import InputError
from simulator.results.precision import FIRST, Precision, enough, half_width
from simulator.results.summary import summarise
from simulator.scenario.resolved import Resolved
from simulator.study import replicate as module
from simulator.study.replicate import first, replicate


def small(requests: int = 300, **run: Any) -> Resolved:
    """Eight at a time, two seconds each on average: four a second can be served, 2.4 come."""
    made = scenario(step_s=0.01, run=run, max_num_seqs=8)
    return replace(made, workload=replace(made.workload, limit=requests, rate_scale=0.02))


def test_workers_change_nothing() -> None:
    alone, several = (replicate(small(replications=3), count) for count in (1, 2))
    for name in ("requests", "timeline"):
        assert getattr(alone, name).equals(getattr(several, name)), name
    assert summarise(alone) == summarise(several)


def test_replications_differ_and_a_longer_study_begins_with_the_shorter_one() -> None:
    three = replicate(small(replications=3), 1)
    two = replicate(small(replications=2), 1)
    assert three.requests.slice(0, len(two.requests)).equals(two.requests)
    arrivals = np.split(three.requests["arrival_s"].to_numpy(), 3)
    assert not np.array_equal(arrivals[0], arrivals[1])


def test_a_precision_is_reached_by_adding_replications() -> None:
    asked = small(precision=0.03, precision_of=("e2e_s.mean", "output_throughput"))
    found = summarise(replicate(asked, 1))
    precision = found["precision"]
    assert precision["met"] is True
    assert FIRST < found["replications"] == precision["replications"] < 100
    for name, width in precision["reached"].items():
        assert width <= 0.03, name
    mean, interval = (found["metrics"]["e2e_s"]["mean"], found["metrics"]["e2e_s"]["interval"]["mean"])
    assert (interval["high"] - interval["low"]) / 2 == pytest.approx(interval["high"] - mean, rel=1e-9)
    half = max(interval["high"] - mean, mean - interval["low"])
    assert half / mean == precision["reached"]["e2e_s.mean"]


def test_the_bound_of_what_can_be_makes_no_interval_precise() -> None:
    """The lower end is cut off at 0; the upper tells how sure the figure is."""
    metrics = {"queue_s": {"p50": 1.0, "interval": {"p50": {"low": 0.0, "high": 6.0}}}}
    assert half_width(metrics, "queue_s.p50") == 5.0


def test_a_precision_out_of_reach_stops_at_the_most_and_says_so() -> None:
    asked = small(100, precision=0.001, precision_of=("ttft_s.p99",), max_replications=13)
    precision = summarise(replicate(asked, 1))["precision"]
    assert (precision["met"], precision["replications"], precision["most"]) == (False, 13, 13)


def test_the_precision_of_a_growing_queue_is_not_sought() -> None:
    made = small(precision=0.05)
    crowded = replace(made, workload=replace(made.workload, rate_scale=0.1, limit=1000))
    summary = summarise(replicate(crowded, 1))
    assert summary["saturation"]["saturated"] is True
    assert summary["precision"]["reached"]["ttft_s.p99"] is None
    assert summary["replications"] == FIRST


@pytest.mark.parametrize(
    ("width", "replications", "wanted"),
    [(0.05, 10, 10), (0.06, 10, 15), (0.0501, 10, 11), (0.5, 10, 20), (0.5, 60, 100), (0.5, 100, 100)],
)
def test_how_many_more(width: float, replications: int, wanted: int) -> None:
    found = Precision(0.05, {"ttft_s.p99": width}, width <= 0.05, replications, 100)
    assert enough(found) == wanted


def test_a_statistic_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        replicate(small(precision=0.05, precision_of=("ttft_s.p98", "goodput")), 1)
    (problem,) = caught.value.problems
    assert (problem.where, problem.what) == ("run.precision_of", "unknown statistic 'ttft_s.p98'")


def test_the_first_look_is_never_beyond_the_most() -> None:
    assert first(small(replications=4)) == 4
    assert first(small(precision=0.05, replications=4)) == FIRST
    assert first(small(precision=0.05, max_replications=6)) == 6


def test_an_interruption_keeps_what_is_done() -> None:
    def impatient(done: int, planned: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    found = replicate(small(replications=5), 1, told=impatient)
    assert (found.replications, found.complete) == (2, False)
    assert module.wanted_after(found) == 2
