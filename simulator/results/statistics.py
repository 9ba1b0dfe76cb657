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
    seconds, upto = gaps.seconds, np.cumsum(gaps.weights)
    mean = float((seconds * gaps.weights).sum()) / n
    ranks = (n - 1) * np.array(PERCENTILES) / 100
    below, above = (seconds[np.searchsorted(upto, edge(ranks), side="right")] for edge in (np.floor, np.ceil))
    percentiles = below + (above - below) * (ranks - np.floor(ranks))
    return {
        "n": n,
        "mean": mean,
        **{f"p{p}": float(value) for p, value in zip(PERCENTILES, percentiles, strict=True)},
        "min": float(seconds[0]),
        "max": float(seconds[-1]),
        "std": math.sqrt(float((gaps.weights * (seconds - mean) ** 2).sum()) / n),
    }


def mean(values: Sequence[float]) -> float:
    """NaN of none."""
    return float(np.mean(values)) if values else math.nan
