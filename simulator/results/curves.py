"""Whole distributions of the latencies, thinned to what a curve needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simulator.results.gaps import Floats, Weighted
from simulator.results.metrics import DISTRIBUTIONS
from simulator.results.sample import Sample
from simulator.results.statistics import Values, percentile

SHARES = (*(step / 100 for step in range(100)), 0.995, 0.999, 1.0)
CURVES = ("ttft_s", "tpot_s", "itl_s", "e2e_s")
_METRICS = {metric.name: metric for metric in DISTRIBUTIONS if metric.name in CURVES}


def curves(sample: Sample) -> dict[str, Floats]:
    """Of each latency its quantiles at SHARES; NaN where there are none."""
    return {name: _quantiles(_METRICS[name].values(sample)) for name in CURVES}


def _quantiles(values: Values) -> Floats:
    samples = values.count() if isinstance(values, Weighted) else 0 if values is None else len(values)
    if values is None or not samples:
        return np.full(len(SHARES), np.nan)
    return percentile(values, [100 * share for share in SHARES])


def document(replications: Sequence[dict[str, Floats]], refused: str) -> dict[str, Any]:
    """Means over the replications that have such a latency, as the percentiles are; None where there is none,
    or where it contains queueing and that is refused.
    """
    found: dict[str, Any] = {"shares": list(SHARES)}
    for name in CURVES:
        known = [one[name] for one in replications if not np.isnan(one[name]).any()]
        given = known and not (refused and _METRICS[name].queued)
        found[name] = np.mean(known, axis=0).tolist() if given else None
    return found
