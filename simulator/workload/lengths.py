"""How many tokens, and for how long: draws from the distributions of a synthetic workload."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from simulator.workload.columns import Floats, Ints, Longs
from simulator.workload.spec import Duration, Lengths

Reader: TypeAlias = Callable[[str], Longs]
"""The token counts of a trace, given its path."""


def token_counts(lengths: Lengths, normal: Floats, read: Reader) -> tuple[Ints, int]:
    """Whole tokens from standard normal draws, by the distribution's own inverse; and how many were clipped.

    One normal draw a request whatever the kind: so correlated lengths are drawn from correlated normals.
    """
    drawn = np.rint(_values(lengths, normal, read))
    clipped = np.clip(drawn, lengths.min, lengths.max)
    return clipped.astype(np.int32), int(np.count_nonzero(clipped != drawn))


def correlated(first: Floats, second: Floats, correlation: float) -> Floats:
    """Normals that correlate with `first`, from independent ones."""
    return correlation * first + math.sqrt(1 - correlation**2) * second if correlation else second


def durations(duration: Duration, n: int, rng: np.random.Generator) -> Floats:
    """Seconds of n pauses."""
    if duration.kind == "exponential":
        return duration.mean * rng.standard_exponential(n)
    if duration.kind == "lognormal" and duration.mean:
        variance = math.log1p(duration.cv**2)
        return duration.mean * np.exp(math.sqrt(variance) * rng.standard_normal(n) - variance / 2)
    return np.full(n, duration.mean)


def mean_of(lengths: Lengths) -> float:
    """The mean of a distribution of turns, clipped and rounded (by its quantiles at 4,096 midpoints)."""
    if lengths.kind == "constant":
        return float(np.clip(lengths.tokens, lengths.min, lengths.max))
    from scipy.special import ndtri

    points = ndtri((np.arange(4096) + 0.5) / 4096)
    return float(token_counts(lengths, points, no_trace)[0].mean())


def no_trace(path: str) -> Longs:
    """The reader where no trace can be meant."""
    raise AssertionError(f"turns cannot be read from {path}")


def _values(lengths: Lengths, normal: Floats, read: Reader) -> Floats:
    if lengths.kind == "constant":
        return np.full(len(normal), float(lengths.tokens))
    if lengths.kind == "lognormal":
        return np.exp(lengths.mu + lengths.sigma * normal)
    from scipy.special import ndtr

    share = np.asarray(ndtr(normal))
    if lengths.kind == "uniform":
        assert lengths.max is not None
        return np.floor(lengths.min + share * (lengths.max - lengths.min + 1))
    if lengths.kind == "quantiles":
        return _between_quantiles(lengths, share)
    listed = np.sort(read(lengths.trace) if lengths.trace else np.array(lengths.values, np.int64))
    return listed[np.minimum((share * len(listed)).astype(np.intp), len(listed) - 1)].astype(np.float64)


def _between_quantiles(lengths: Lengths, share: Floats) -> Floats:
    """Linear between the quantiles' logarithms; beyond the outermost, towards min and max."""
    percent, tokens = (list(column) for column in zip(*lengths.quantiles))
    ends = [float(lengths.min), *tokens, float(lengths.max or tokens[-1])]
    return np.exp(np.interp(100 * share, [0.0, *percent, 100.0], np.log(ends)))
