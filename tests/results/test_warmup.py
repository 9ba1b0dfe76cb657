"""The warm-up of several replications: from their averaged series, one cut for all."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.results.confidence import mser5
from simulator.results.warmup import SERIES, Course, warm_up


def course(rng: np.random.Generator, n: int = 2000, transient: int = 200, rate: float = 1.0) -> Course:
    """TTFT that starts low and becomes steady, with noise; no TPOT."""
    rise = np.minimum(np.arange(n) / transient, 1.0) * 10.0
    ttft = rise + rng.normal(size=n)
    return Course(np.arange(n) / rate, {"ttft_s": ttft, "tpot_s": np.full(n, np.nan)})


def test_of_one_replication_it_is_mser5() -> None:
    one = course(np.random.default_rng(1))
    found = warm_up([one], None, False)
    dropped = mser5(one.series["ttft_s"]).dropped
    assert (found.cut_s, found.dropped, found.short) == (float(dropped), dropped, False)
    assert 100 <= dropped <= 250


def test_averaging_shows_what_noise_hides() -> None:
    """Ten noisy series: the transient that all share is found alike in each of ten studies."""

    def noisy(seed: int) -> list[Course]:
        rng = np.random.default_rng(seed)
        made = [course(rng) for _ in range(10)]
        return [
            Course(one.sent_s, {**one.series, "ttft_s": one.series["ttft_s"] + rng.normal(0, 15, 2000)})
            for one in made
        ]

    together = [warm_up(noisy(seed), None, False).cut_s for seed in range(10)]
    alone = [warm_up([one], None, False).cut_s for seed in range(10) for one in noisy(seed)]
    assert np.std(together) < 0.7 * np.std(alone)


def test_the_cut_is_the_latest_time_of_that_request() -> None:
    rng = np.random.default_rng(3)
    courses = [course(rng, rate=rate) for rate in (1.0, 0.5)]
    found = warm_up(courses, None, False)
    assert found.cut_s == np.floor(found.cut_s / 2) * 2
    assert found.dropped == int(found.cut_s) + int(found.cut_s / 2)


def test_series_of_different_lengths_are_averaged_as_far_as_all_go() -> None:
    rng = np.random.default_rng(4)
    found = warm_up([course(rng, 2000), course(rng, 1500)], None, False)
    assert 50 <= found.cut_s <= 300


@pytest.mark.parametrize(("given", "cut"), [(0.0, 0.0), (30.0, 35.0)])
def test_a_given_warm_up_counts_from_the_first_request(given: float, cut: float) -> None:
    late = Course(np.arange(5.0, 105.0), {"ttft_s": np.ones(100), "tpot_s": np.ones(100)})
    assert warm_up([late], given, None).cut_s == cut


def test_a_growing_queue_never_gets_warm() -> None:
    found = warm_up([course(np.random.default_rng(5))], None, True)
    assert (found.method, found.dropped) == ("none: the queue grows", 0)


def test_no_series_is_not_a_short_one() -> None:
    nothing = Course(np.arange(10.0), {"ttft_s": np.full(10, np.nan), "tpot_s": np.full(10, np.nan)})
    assert warm_up([nothing], None, False).short is False


def test_too_few_requests_are_not_called_unsteady() -> None:
    """A hundred requests of a steady course: MSER-5 may find no end, but nothing shows that it changes."""
    called = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        noise = Course(np.arange(100.0), {name: rng.exponential(1.0, 100) for name in SERIES}, 20.0)
        found = warm_up([noise], None, False)
        assert not found.changing
        called += found.short
    assert called > 20  # so often it is too short to tell


def test_a_long_course_that_wanders_is_called_unsteady() -> None:
    rng = np.random.default_rng(3)
    slow = 1 + np.sin(np.linspace(0, 4 * np.pi, 20_000)) + np.linspace(0, 2, 20_000)
    wave = Course(np.arange(20_000.0), {"ttft_s": slow + rng.exponential(0.1, 20_000), "tpot_s": slow}, 20.0)
    found = warm_up([wave], None, False)
    assert (found.short, found.changing) == (True, True)


def test_sections_shorter_than_a_request_show_nothing() -> None:
    """Neighbours are served together: their latencies hang together in any queue."""
    slow = np.linspace(0, 1, 1000)
    course = Course(np.arange(1000.0), {"ttft_s": slow, "tpot_s": slow}, 100.0)
    assert warm_up([course], None, False).changing is False
    longer = Course(np.arange(1000.0), {"ttft_s": slow, "tpot_s": slow}, 40.0)
    assert warm_up([longer], None, False).changing is True
