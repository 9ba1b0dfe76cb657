"""Warm-up, intervals and saturation against closed forms, brute force and processes whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.signal import lfilter

from simulator.results import confidence as ci
from simulator.results import saturation
from simulator.results.quantiles import normal_quantile, student_cdf, student_quantile


def ar1(rng: np.random.Generator, n: int, phi: float) -> np.ndarray:
    """A stationary AR(1) series with mean 0 and standard deviation 1."""
    noise = rng.normal(size=n) * math.sqrt(1 - phi * phi)
    noise[0] /= math.sqrt(1 - phi * phi)
    return np.asarray(lfilter([1.0], [1.0, -phi], noise))


@pytest.mark.parametrize("df", [1, 2, 3, 4, 7, 19, 30, 200, 999, 1001, 5000])
@pytest.mark.parametrize("p", [0.01, 0.2, 0.5, 0.9, 0.95, 0.975, 0.9995])
def test_student_quantiles_are_scipys(df: int, p: float) -> None:
    assert student_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-6, abs=1e-9)
    assert student_cdf(1.3, df) == pytest.approx(stats.t.cdf(1.3, df), rel=1e-12)


def test_normal_quantile() -> None:
    assert normal_quantile(0.975) == pytest.approx(1.959963984540054)


def slow_mser5(series: np.ndarray) -> int:
    """Straight from the definition, O(k²)."""
    k = len(series) // 5
    means = series[: 5 * k].reshape(k, 5).mean(axis=1)
    spread = [((means[d:] - means[d:].mean()) ** 2).sum() / (k - d) ** 2 for d in range(k // 2 + 1)]
    return 5 * int(np.argmin(spread))


@given(st.integers(0, 1000), st.integers(10, 300))
@settings(max_examples=60)
def test_mser5_is_its_definition(seed: int, n: int) -> None:
    series = np.random.default_rng(seed).normal(size=n) + np.exp(-np.arange(n) / 10) * 5
    assert ci.mser5(series).dropped == slow_mser5(series)


def test_mser5_cuts_the_transient_and_little_of_the_rest() -> None:
    rng = np.random.default_rng(3)
    series = ar1(rng, 5000, 0.5) + np.where(np.arange(5000) < 400, 8.0, 0.0)
    found = ci.mser5(series)
    assert 400 <= found.dropped <= 450
    assert not found.short


def test_mser5_says_when_a_series_is_too_short() -> None:
    assert ci.mser5(np.arange(1000.0)).short
    assert ci.mser5(np.arange(7.0)) == ci.Truncation(0, True)


def test_mser5_of_a_constant_series_keeps_all() -> None:
    assert ci.mser5(np.full(100, 3.7)).dropped == 0


def test_batch_means_by_hand() -> None:
    found = ci.batch_means(np.array([1.0, 3.0, 2.0, 4.0, 6.0, 8.0]), 3, 0.95)
    half = stats.t.ppf(0.975, 2) * np.std([2.0, 3.0, 7.0], ddof=1) / math.sqrt(3)
    assert (found.low, found.high) == pytest.approx((4 - half, 4 + half))


def test_batch_means_cover_the_mean_of_a_correlated_series() -> None:
    rng = np.random.default_rng(11)
    inside = 0
    for _ in range(400):
        found = ci.batch_means(ar1(rng, 4000, 0.8), 20, 0.95)
        assert found.high is not None
        inside += found.low <= 0.0 <= found.high
    assert 0.92 <= inside / 400 <= 0.98


def test_the_naive_interval_would_be_far_too_narrow() -> None:
    rng = np.random.default_rng(11)
    series = ar1(rng, 4000, 0.8)
    batched = ci.batch_means(series, 20, 0.95)
    assert batched.high is not None
    naive = 2 * 1.96 * series.std() / math.sqrt(len(series))
    assert (batched.high - batched.low) / naive == pytest.approx(3.0, rel=0.5)  # √((1 + 0.8) / (1 − 0.8))


def test_sections_cover_a_percentile_of_a_correlated_series() -> None:
    rng = np.random.default_rng(5)
    truth, inside = stats.norm.ppf(0.9), 0
    for _ in range(400):
        series = ar1(rng, 6000, 0.6)
        parts = [float(np.quantile(part, 0.9)) for part in np.split(series, 20)]
        found = ci.over_sections(float(np.quantile(series, 0.9)), parts, 0.95)
        assert found is not None
        assert found.high is not None
        inside += found.low <= truth <= found.high
    assert 0.92 <= inside / 400 <= 0.98


def test_the_effective_size_covers_a_percentile_of_a_correlated_series() -> None:
    rng = np.random.default_rng(6)
    truth, inside = stats.norm.ppf(0.9), 0
    for _ in range(400):
        found = ci.correlated_quantile_interval(ar1(rng, 1500, 0.6), 0.9, 0.95)
        assert found is not None
        assert found.high is not None
        inside += found.low <= truth <= found.high
    assert 0.90 <= inside / 400 <= 0.98


def test_the_effective_size_of_independent_samples_is_their_number() -> None:
    series = np.random.default_rng(8).normal(size=20_000)
    assert ci.effective_size(series, 0.0) == pytest.approx(20_000, rel=0.1)
    assert ci.effective_size(np.ones(50), 1.0) == 50


def test_replications_by_hand() -> None:
    found = ci.over_replications([1.0, 2.0, 6.0], 0.9)
    half = stats.t.ppf(0.95, 2) * np.std([1.0, 2.0, 6.0], ddof=1) / math.sqrt(3)
    assert found is not None
    assert (found.low, found.high, found.n) == pytest.approx((3 - half, 3 + half, 3))
    assert ci.over_replications([1.0], 0.9) is None


@pytest.mark.parametrize(("p", "least"), [(0.95, 72), (0.99, 368), (0.999, 3688)])
def test_an_upper_end_exists_from_n_on(p: float, least: int) -> None:
    assert ci.order_statistics(least, p, 0.95)[1] is not None
    assert ci.order_statistics(least - 1, p, 0.95)[1] is None


@pytest.mark.parametrize(("n", "p"), [(20, 0.5), (100, 0.9), (1000, 0.99), (400, 0.99)])
def test_order_statistics_are_their_definition(n: int, p: float) -> None:
    low, high = ci.order_statistics(n, p, 0.95)
    below = stats.binom(n, p)
    assert low == max(k for k in range(n + 1) if below.cdf(k - 1) <= 0.025)
    assert high == min(k for k in range(1, n + 2) if below.cdf(k - 1) >= 0.975)


def test_order_statistics_cover_a_quantile_of_any_distribution() -> None:
    rng = np.random.default_rng(9)
    truth = stats.expon.ppf(0.9)
    found = [ci.quantile_interval(rng.exponential(size=300), 0.9, 0.95) for _ in range(500)]
    inside = sum(one.low <= truth <= (one.high or math.inf) for one in found)
    assert 0.94 <= inside / 500 <= 1.0


def test_correlated_sections_are_noticed() -> None:
    rng = np.random.default_rng(2)
    assert ci.correlated(list(np.cumsum(rng.normal(size=20))), 0.95)
    assert sum(ci.correlated(list(rng.normal(size=20)), 0.95) for _ in range(400)) / 400 < 0.08


@pytest.mark.parametrize(
    ("n", "p", "sections"), [(20_000, 0.99, 20), (19_999, 0.99, 10), (9_999, 0.99, 0), (200, None, 20)]
)
def test_sections_need_samples_in_the_tail(n: int, p: float | None, sections: int) -> None:
    assert ci.sections_for(n, p) == sections


def md1(rate: float, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arrivals, ends and service times of a queue with one server and service times of 1 s."""
    arrivals = np.cumsum(np.random.default_rng(seed).exponential(1 / rate, n))
    ends = np.arange(1, n + 1) + np.maximum.accumulate(arrivals - np.arange(n))
    return arrivals, ends, np.ones(n)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12))
def test_an_interval_holds_its_value_and_leaves_out_what_cannot_be(shares: list[float]) -> None:
    found = ci.over_replications(shares, 0.95)
    assert found is not None
    bounded = ci.within(found, 1.0)
    assert bounded.high is not None
    assert 0 <= bounded.low <= np.mean(shares) + 1e-15
    assert np.mean(shares) - 1e-15 <= bounded.high <= 1
    assert ci.within(found, math.inf).high == found.high


@pytest.mark.parametrize("rate", [0.3, 0.7, 0.9])
def test_stable_queues_are_not_called_saturated(rate: float) -> None:
    found = [saturation.check(*md1(rate, 4000, seed), 0.95).saturated for seed in range(100)]
    assert sum(found) <= 2


@pytest.mark.parametrize("rate", [1.1, 1.5, 3.0])
def test_growing_queues_are(rate: float) -> None:
    found = [saturation.check(*md1(rate, 4000, seed), 0.95) for seed in range(100)]
    assert sum(result.saturated is True for result in found) >= 98
    assert np.mean([result.served_per_s for result in found]) == pytest.approx(1.0, rel=0.01)
    assert np.mean([result.offered_per_s for result in found]) == pytest.approx(rate, rel=0.01)


def test_a_few_requests_tell_nothing() -> None:
    assert saturation.check(*md1(3.0, 50, 1), 0.95).saturated is None
    assert saturation.check(np.empty(0), np.empty(0), np.empty(0), 0.95).saturated is None


def test_a_system_that_fills_up_is_not_saturated() -> None:
    """Infinitely many servers: nobody waits, and a fifth of the requests takes most of the window."""
    called = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        arrivals = np.sort(rng.uniform(0, 20, 2000))
        service = np.where(rng.random(2000) < 0.2, rng.uniform(12, 19, 2000), 1.0)
        cut = np.where(arrivals + service > 20, np.nan, arrivals + service)
        called += saturation.check(arrivals, cut, service, 0.95).saturated is True
    assert called <= 2


def test_batches_that_grow_are_no_queue() -> None:
    """Infinitely many servers, and four times the arrivals from the middle on: nobody waits."""
    arrivals = np.concatenate([np.arange(0, 100, 0.5), np.linspace(100, 200, 800)])
    service = np.full(len(arrivals), 20.0)
    found = saturation.check(arrivals, arrivals + 20, service, 0.95)
    assert found.saturated is None
    assert "none queues" in found.reason
    queued = saturation.check(arrivals, arrivals + 20, service - 5.0, 0.95)
    assert queued.saturated is True
    cut = np.where(arrivals + 20 > 200, np.nan, arrivals + 20)
    served = np.where(np.isnan(cut), np.nan, service)
    begun = np.zeros(len(arrivals))
    assert saturation.check(arrivals, cut, served, 0.95, begun).saturated is None
    assert saturation.check(arrivals, cut, served, 0.95, np.where(np.isnan(cut), np.nan, 0.0)).saturated


def test_most_replications_speak() -> None:
    sure, unsure, growing = (saturation.Saturation(one, "", 1.0, 1.0, 0.0) for one in (False, None, True))
    assert saturation.judged([unsure, sure, sure]) == (sure, 0)
    assert saturation.judged([unsure, sure, unsure, growing]) == (unsure, 1)
    assert saturation.judged([growing, sure]) == (growing, 1)


def test_a_window_shorter_than_service_tells_nothing() -> None:
    arrivals = np.sort(np.random.default_rng(1).uniform(0, 20, 1000))
    found = saturation.check(arrivals, arrivals + 60, np.full(1000, 60.0), 0.95)
    assert found.saturated is None
    assert "too short" in found.reason
