"""The statistics of a sample: mean, percentiles (numpy's linear ones), min, max, deviation (ddof 0)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from simulator.results.gaps import Floats, Weighted

PERCENTILES = (50, 90, 95, 99)
STATISTICS = ("mean", *(f"p{p}" for p in PERCENTILES), "min", "max", "std")

Values = Floats | Weighted | None


def describe(values: Values) -> dict[str, float]:
    """The statistics of a sample, and n; NaN where there is nothing."""
    if isinstance(values, Weighted):
        return _describe_weighted(values)
    if values is None or not len(values):
        return {"n": 0, **dict.fromkeys(STATISTICS, math.nan)}
    percentiles = np.percentile(values, PERCENTILES)
    return {
        "n": len(values),
        "mean": float(values.mean()),
        **{f"p{p}": float(value) for p, value in zip(PERCENTILES, percentiles, strict=True)},
        "min": float(values.min()),
        "max": float(values.max()),
        "std": float(values.std()),
    }


def _describe_weighted(gaps: Weighted) -> dict[str, float]:
    n = gaps.count()
    if not n:
        return describe(None)
    seconds = gaps.seconds
    mean = float((seconds * gaps.weights).sum()) / n
    percentiles = percentile(gaps, PERCENTILES)
    return {
        "n": n,
        "mean": mean,
        **{f"p{p}": float(value) for p, value in zip(PERCENTILES, percentiles, strict=True)},
        "min": float(seconds[0]),
        "max": float(seconds[-1]),
        "std": math.sqrt(float((gaps.weights * (seconds - mean) ** 2).sum()) / n),
    }


def percentile(values: Floats | Weighted, wanted: Sequence[float]) -> Floats:
    """numpy's linear percentiles [wanted] of a sample that is not empty."""
    if not isinstance(values, Weighted):
        return np.asarray(np.percentile(values, wanted))
    seconds, upto = values.seconds, np.cumsum(values.weights)
    ranks = (values.count() - 1) * np.array(wanted) / 100
    below, above = (seconds[np.searchsorted(upto, edge(ranks), side="right")] for edge in (np.floor, np.ceil))
    return np.asarray(below + (above - below) * (ranks - np.floor(ranks)))


def mean(values: Sequence[float]) -> float:
    """NaN of none."""
    return float(np.mean(values)) if values else math.nan
