"""How sure: warm-up deletion, intervals from replications or from sections of one run, saturation.

Sources: White 1997 and Spratt 1998 (MSER-5); Schmeiser 1982 and Law, Simulation Modeling and Analysis, ch.
9 (batch means, replications); Asmussen and Glynn, Stochastic Simulation, III.5a (sectioning); David and
Nagaraja, Order Statistics (distribution-free quantile intervals).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.results.quantiles import normal_quantile, student_quantile

Floats = NDArray[np.floating[Any]]

MOST_SECTIONS, FEWEST_SECTIONS = 20, 10
TAIL_SAMPLES = 10  # samples that a section must have beyond the quantile asked of it


class Interval(NamedTuple):
    """A confidence interval; high is None where the sample bounds nothing from above. n: samples."""

    low: float
    high: float | None
    n: int
    method: str


class Truncation(NamedTuple):
    """Observations to delete from the front. short: the series is too short for that choice to be trusted."""

    dropped: int
    short: bool


def mser5(series: Floats) -> Truncation:
    """MSER-5: the deletion, of at most half, that makes the mean of what is left most precise. O(n).

    short: the best deletion lies at the edge of what is allowed, or a better one beyond it.
    """
    k = len(series) // 5
    if k < 2:
        return Truncation(0, True)
    fives = np.asarray(series[: 5 * k], np.float64).reshape(k, 5).mean(axis=1)
    fives -= fives.mean()
    kept = np.arange(k, 0, -1)
    first = np.cumsum(fives[::-1])[::-1]
    second = np.cumsum((fives * fives)[::-1])[::-1]
    error = np.maximum(second - first * first / kept, 0.0) / (kept.astype(np.float64) ** 2)
    best = int(np.argmin(error[: k // 2 + 1]))
    beyond = error[k // 2 + 1 : k - max(5, k // 10)]
    short = best == k // 2 or bool(len(beyond) and beyond.min() < error[best])
    return Truncation(5 * best, short)


def over_replications(values: Sequence[float], confidence: float) -> Interval | None:
    """Student's interval for the mean of independent replications; None for fewer than two."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    if len(known) < 2:
        return None
    return _student(float(known.mean()), known, confidence, f"Student t over {len(known)} replications")


def over_sections(whole: float, sections: Sequence[float], confidence: float) -> Interval | None:
    """Student's interval around `whole`, a statistic of the run, from the same statistic of its sections."""
    known = np.asarray(sections, np.float64)
    if len(known) < 2 or np.isnan(known).any() or math.isnan(whole):
        return None
    return _student(whole, known, confidence, f"sectioning, {len(known)} sections")


def _student(centre: float, values: Floats, confidence: float, method: str) -> Interval:
    n = len(values)
    spread = math.sqrt(float(((values - centre) ** 2).sum()) / (n - 1))
    half = student_quantile(0.5 + confidence / 2, n - 1) * spread / math.sqrt(n)
    return Interval(centre - half, centre + half, n, method)


def within(interval: Interval, most: float) -> Interval:
    """What of it can be: from 0 to `most`. Student's reaches beyond, for it knows only centre and spread."""
    high = interval.high if interval.high is None else min(interval.high, most)
    return interval._replace(low=max(interval.low, 0.0), high=high)


def batch_means(series: Floats, batches: int, confidence: float) -> Interval:
    """Student's interval for the mean of one correlated series from the means of `batches` equal parts."""
    size = len(series) // batches
    means = np.asarray(series[: size * batches]).reshape(batches, size).mean(axis=1)
    return _student(float(means.mean()), means, confidence, f"batch means, {batches} batches of {size}")


def correlated(sections: Sequence[float], confidence: float) -> bool:
    """Whether neighbouring sections hang together (lag-1 correlation, one-sided): they are too short."""
    values = np.asarray(sections, np.float64)
    values = values - values.mean()
    power = float((values * values).sum())
    if power <= 0.0:
        return False
    lag = float((values[1:] * values[:-1]).sum()) / power
    return lag * math.sqrt(len(values)) > normal_quantile(confidence)


def sections_for(n: int, p: float | None) -> int:
    """How many sections n samples allow: 20, 10, or 0 where too few would lie beyond quantile p in each."""
    tail = min(p, 1 - p) if p is not None else 1.0
    for count in (MOST_SECTIONS, FEWEST_SECTIONS):
        if n / count * tail >= TAIL_SAMPLES:
            return count
    return 0


def order_statistics(n: int, p: float, confidence: float) -> tuple[int, int | None]:
    """Ranks (from 1) that bound quantile p of n independent samples; (0, …, None): n is too small for one."""
    from scipy.special import bdtr

    alpha = 1 - confidence
    ranks = np.arange(n + 1, dtype=np.float64)
    below = bdtr(ranks, n, p)  # P(Bin ≤ k)
    low = int(np.searchsorted(below, alpha / 2, side="right"))
    high = int(np.searchsorted(below, 1 - alpha / 2, side="left")) + 1
    return low, high if high <= n else None


def quantile_interval(series: Floats, p: float, confidence: float) -> Interval:
    """For quantile p of independent samples, distribution-free."""
    ordered = np.sort(series)
    low, high = order_statistics(len(ordered), p, confidence)
    top = float(ordered[high - 1]) if high is not None else None
    bottom = float(ordered[low - 1]) if low else -math.inf
    return Interval(bottom, top, len(ordered), "order statistics")


def effective_size(series: Floats, q: float) -> float:
    """What n correlated samples are worth for the share ≤ q: n / (1 + 2 Σ r_k), up to the first r_k ≤ 0."""
    below = (np.asarray(series) <= q).astype(np.float64)
    n = len(below)
    below -= below.mean()
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(below, size)
    covariance = np.fft.irfft(spectrum * np.conj(spectrum), size)[:n]
    if covariance[0] <= 0:
        return float(n)
    correlation = covariance[1:] / covariance[0]
    stop = int(np.argmax(correlation <= 0)) if (correlation <= 0).any() else n - 1
    return float(n / (1 + 2 * correlation[:stop].sum()))


def correlated_quantile_interval(series: Floats, p: float, confidence: float) -> Interval | None:
    """For quantile p of a series too short for sections: p ± z·σ of its share, read off as quantiles."""
    if len(series) < 2:
        return None
    q = float(np.quantile(series, p))
    size = effective_size(series, q)
    half = normal_quantile(0.5 + confidence / 2) * math.sqrt(p * (1 - p) / size)
    low = float(np.quantile(series, max(p - half, 0.0)))
    high = float(np.quantile(series, p + half)) if p + half < 1 and size * (1 - p) >= 1 else None
    return Interval(low, high, len(series), f"effective size {size:.0f} of {len(series)}")
