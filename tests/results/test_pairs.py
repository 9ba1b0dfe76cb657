"""Paired changes by hand and against scipy; Wilson's interval; what is exact stays exact."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from simulator.results.pairs import paired, sectioned, unpaired, wilson, wins


def test_a_paired_change_by_hand() -> None:
    a, b = [10.0, 12.0, 14.0], [9.0, 10.0, 11.0]
    found = paired(a, b, "lower", 0.95)
    assert found is not None
    assert (found.a, found.b) == (12.0, 10.0)
    half = stats.t.ppf(0.975, 2) * np.std([-1, -2, -3], ddof=1) / math.sqrt(3)
    assert (found.difference.low, found.difference.high) == pytest.approx((-2 - half, -2 + half))
    rest = np.array(b) - 10 / 12 * np.array(a)
    scaled = stats.t.ppf(0.975, 2) * math.sqrt((rest**2).sum() / 2) / math.sqrt(3) / 12
    assert found.relative is not None
    assert (found.relative.low, found.relative.high) == pytest.approx((-1 / 6 - scaled, -1 / 6 + scaled))
    assert found.gain == pytest.approx((4.0 + 1.0) / 1.0)
    assert found.wins is not None
    assert (found.wins.wins, found.wins.ties, found.wins.losses) == (3, 0, 0)


def test_equal_values_change_by_exactly_nothing() -> None:
    values = np.random.default_rng(1).exponential(size=20).tolist()
    found = paired(values, values, "lower", 0.95)
    assert found is not None
    assert found.relative is not None
    ends = (found.difference.low, found.difference.high, found.relative.low, found.relative.high)
    assert ends == (0.0, 0.0, 0.0, 0.0)
    assert found.gain is None
    assert found.shown is False
    assert found.wins is not None
    assert found.wins.ties == 20


def test_a_constant_factor_is_exact_relatively_and_not_absolutely() -> None:
    values = np.random.default_rng(1).exponential(size=20)
    found = paired(values.tolist(), (values * 0.5).tolist(), "lower", 0.95)
    assert found is not None
    assert found.relative is not None
    assert (found.relative.low, found.relative.high) == pytest.approx((-0.5, -0.5))
    assert found.difference.high is not None
    assert found.difference.high - found.difference.low > 0.1
    assert found.shown is True


def test_pairs_with_an_unknown_value_do_not_count() -> None:
    nan = math.nan
    found = paired([1.0, nan, 3.0, 5.0], [2.0, 2.0, nan, 7.0], "lower", 0.95)
    assert found is not None
    assert (found.a, found.b, found.difference.n) == (3.0, 4.5, 2)
    assert paired([1.0, nan], [2.0, 2.0], "lower", 0.95) is None


def test_from_nothing_there_is_no_relative_change() -> None:
    found = paired([0.0, 0.0], [1.0, 2.0], "", 0.95)
    assert found is not None
    assert found.relative is None
    assert found.wins is None


def test_nothing_falls_by_more_than_all() -> None:
    for found in (
        paired([9.0, 1.0, 5.0], [0.0, 0.5, 0.1], "lower", 0.95),
        unpaired([9.0, 1.0, 5.0], [0.0, 0.5, 0.1], 0.95),
    ):
        assert found is not None
        assert found.relative is not None
        assert found.relative.low == -1.0
        assert found.relative.high is not None
        assert -1.0 < found.b / found.a - 1 < found.relative.high


def test_independent_values_are_compared_as_welch_does() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(10, 1, 12), rng.normal(11, 4, 30)
    found = unpaired(a.tolist(), b.tolist(), 0.9)
    assert found is not None
    theirs = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.9)
    assert (found.difference.low, found.difference.high) == pytest.approx((theirs.low, theirs.high), rel=1e-2)
    assert found.difference.low <= theirs.low  # degrees of freedom rounded down
    assert found.wins is None


def test_sections_are_centred_on_the_whole() -> None:
    found = sectioned((10.0, 12.0), [9.0, 10.0, 12.0], [11.0, 12.5, 13.0], "lower", 0.95)
    assert found is not None
    middle = (found.difference.low + (found.difference.high or 0.0)) / 2
    assert (found.a, found.b, middle) == pytest.approx((10.0, 12.0, 2.0))
    assert sectioned((math.nan, 1.0), [1.0, 2.0], [1.0, 2.0], "lower", 0.95) is None


@pytest.mark.parametrize(("won", "n"), [(0, 10), (10, 10), (7, 20), (1, 3)])
def test_wilsons_interval_is_scipys(won: int, n: int) -> None:
    theirs = stats.binomtest(won, n).proportion_ci(0.95, method="wilson")
    assert wilson(won, n, 0.95) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize(("better", "won"), [("lower", 2), ("higher", 1)])
def test_who_wins_depends_on_what_is_better(better: str, won: int) -> None:
    found = wins([1.0, 2.0, 3.0, 4.0], [0.5, 1.0, 9.0, 4.0], better, 0.95)
    assert found is not None
    assert (found.wins, found.ties, found.losses) == (won, 1, 3 - won)
    assert wins([1.0], [2.0], "", 0.95) is None
