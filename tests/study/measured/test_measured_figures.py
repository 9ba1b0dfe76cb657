"""Figures and their errors against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from measured_index import CLOSED, row

from simulator.study.measured.figures import (
    Requests,
    attainment,
    curve_error,
    distance,
    of_requests,
    of_row,
    per_second,
    saturated,
)
from simulator.study.measured.records import Series
from simulator.study.measured.summary import Pair, apart, headline, median, wholes
from simulator.study.measured.trial import Outcome


def requests(sent: list[float], ttft: list[float], tpot: list[float], output: list[int]) -> Requests:
    gaps = np.nan_to_num(np.array(tpot)) * (np.array(output) - 1)
    columns = (sent, ttft, tpot, np.array(ttft) + gaps, output)
    return Requests(*(np.array(column, dtype=np.float64) for column in columns))


FOUR = requests([0, 1, 2, 3], [0.1, 0.2, 0.3, 0.4], [0.01, 0.03, np.nan, 0.02], [101, 11, 1, 51])


def test_latencies_are_in_milliseconds_and_one_token_answers_have_no_tpot() -> None:
    found = of_requests(FOUR)
    assert found["ttft_mean_ms"] == found["ttft_point_ms"] == pytest.approx(250)
    assert found["ttft_p50_ms"] == pytest.approx(250)
    assert found["ttft_p90_ms"] == pytest.approx(370)
    assert found["tpot_mean_ms"] == pytest.approx(20)
    assert found["e2e_mean_ms"] == pytest.approx((1100 + 500 + 300 + 1400) / 4)


def test_rates_are_over_first_sent_to_last_token() -> None:
    found = of_requests(FOUR)
    assert found["req_per_s"] == pytest.approx(4 / 4.4)
    assert found["output_tok_per_s"] == pytest.approx(164 / 4.4)


def test_a_row_gives_what_its_cells_give() -> None:
    expected = {"ttft_mean_ms": 30, "tpot_mean_ms": 8, "e2e_mean_ms": 280, "output_tok_per_s": 450}
    assert of_row(row(CLOSED)) == expected


def test_attainment_is_of_both_objectives() -> None:
    found = requests([0] * 4, [0.1, 0.2, 0.3, 0.1], [0.05, np.nan, 0.05, 0.2], [5, 1, 5, 5])
    assert attainment(found) == 0.5


def test_distance_is_the_largest_difference_of_distributions() -> None:
    a = np.array([1.0, 2.0, 3.0, 4.0])
    assert distance(a, a) == 0
    assert distance(a, a + 10) == 1
    assert distance(a, np.array([2.5, 3.5, np.nan])) == pytest.approx(0.5)


def test_tokens_of_each_second_are_the_first_and_then_evenly_the_others() -> None:
    one = requests([0.0], [0.5], [0.25], [5])
    np.testing.assert_allclose(per_second(one, np.array([1.0, 2.0])), [3.0, 2.0])
    assert curve_error(one, Series(np.array([1.0, 2.0]), np.array([2.0, 3.0]))) == pytest.approx(0.4)
    late = Series(np.array([1.0]), np.array([3.0]))
    assert curve_error(one, late) == pytest.approx(2 / 3)


def test_saturation_is_a_queue_that_still_grows() -> None:
    sent = np.arange(1000.0)
    service = np.full(1000, 0.5)
    steady = Requests(sent, service, service, service + 0.5, service)
    growing = Requests(sent, service, service, 1.0 + sent, service)
    assert saturated(steady, service) is False
    assert saturated(growing, service) is True
    assert saturated(steady.take(sent < 100), service[:100]) is None


def outcome(cells: dict[str, object], simulated: dict[str, float], survivors: bool = False) -> Outcome:
    measured = of_row(row(CLOSED | cells))
    return Outcome(row(CLOSED | cells), measured, simulated, (), (), survivors=survivors)


def test_a_headline_is_the_mean_else_the_median_else_the_point() -> None:
    simulated = {"ttft_mean_ms": 33.0, "ttft_p50_ms": 20.0, "ttft_point_ms": 33.0, "req_per_s": 1.0}
    assert headline(outcome({}, simulated), "ttft") == Pair(30, 33)
    by_median = {"ttft_mean_ms": "", "ttft_p50_ms": 25}
    assert headline(outcome(by_median, simulated), "ttft") == Pair(25, 20)
    by_point = {"ttft_mean_ms": "", "ttft_point_ms": 22}
    assert headline(outcome(by_point, simulated), "ttft") == Pair(22, 33)
    assert headline(outcome({"output_tok_per_s": "", "req_per_s": 2}, simulated), "throughput") == Pair(2, 1)
    assert headline(outcome({}, {}), "e2e") is None


def test_latencies_of_survivors_are_no_score() -> None:
    survivor = outcome({}, {"ttft_mean_ms": 33.0}, survivors=True)
    assert headline(survivor, "ttft") is None
    assert survivor.errors == {}
    assert outcome({}, {"ttft_mean_ms": 33.0}).errors == {"ttft_mean_ms": pytest.approx(0.1)}


def test_medians_are_of_absolute_errors_and_bias_of_ratios() -> None:
    found = median([Pair(10, 11), Pair(10, 8), Pair(10, 13)])
    assert found is not None
    assert (found.count, found.error, found.p90, found.bias) == (3, *map(pytest.approx, (0.2, 0.3, 1.1)))
    assert median([]) is None


def test_stages_are_scored_apart_and_whole_runs_once() -> None:
    rows = [
        outcome({"run": run, "stage": stage}, {})
        for run, stage in (("a", 0), ("a", 1), ("a", "all"), ("b", "all"))
    ]
    assert [(o.row.run, o.row.stage) for o in apart(rows)] == [("a", "0"), ("a", "1"), ("b", "all")]
    assert [(o.row.run, o.row.stage) for o in wholes(rows)] == [("a", "all"), ("b", "all")]
