"""Quantiles of the normal and Student distributions, without scipy: a run must not wait for its import."""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist


def normal_quantile(p: float) -> float:
    """z with P(Z ≤ z) = p, 0 < p < 1."""
    return NormalDist().inv_cdf(p)


def student_cdf(t: float, df: int) -> float:
    """P(T ≤ t) for whole degrees of freedom: the finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    theta = math.atan(abs(t) / math.sqrt(df))
    sine, square = math.sin(theta), math.cos(theta) ** 2
    odd = df % 2
    term = math.cos(theta) if odd else 1.0
    total = 0.0
    for k in range(df // 2):
        total += term
        term *= square * (2 * k + 1 + odd) / (2 * k + 2 + odd)
    inside = 2 / math.pi * (theta + sine * total) if odd else sine * total
    return 0.5 + math.copysign(inside / 2, t)


@cache
def student_quantile(p: float, df: int) -> float:
    """t with P(T ≤ t) = p for df ≥ 1: bisection on the distribution; the normal's expansion above 1,000.

    The expansion is Abramowitz and Stegun 26.7.5, first two terms, good to 1e-8 there.
    """
    if p < 0.5:
        return -student_quantile(1 - p, df)
    z = normal_quantile(p)
    if df > 1000:
        return z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df * df)
    low, high = 0.0, 1.0
    while student_cdf(high, df) < p:
        low, high = high, high * 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if student_cdf(middle, df) < p else (low, middle)
    return (low + high) / 2
