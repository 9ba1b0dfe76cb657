"""When requests come: Poisson, gamma with burstiness, constant, and closed loops of users who think."""

from __future__ import annotations

import numpy as np

from simulator.workload.columns import Floats
from simulator.workload.spec import Arrivals


def arrival_times(arrivals: Arrivals, n: int, rate: float, rng: np.random.Generator) -> Floats:
    """Seconds of n open-loop arrivals at `rate` per second; the first waits one gap, as in vLLM's benchmark.

    Gaps are drawn at unit rate and divided, so that two rates under one seed see the same pattern, stretched.
    """
    gaps = unit_gaps(arrivals, n, rng) / rate
    if arrivals.normalise:
        gaps = normalised(gaps, rate)
    return np.cumsum(gaps)


def unit_gaps(arrivals: Arrivals, n: int, rng: np.random.Generator) -> Floats:
    """n gaps of mean 1: exponential, gamma of shape `burstiness` (cv = burstiness^−½), or all equal."""
    if arrivals.kind == "poisson":
        return rng.standard_exponential(n)
    if arrivals.kind == "gamma":
        return rng.standard_gamma(arrivals.burstiness, n) / arrivals.burstiness
    return np.ones(n)


def normalised(gaps: Floats, rate: float) -> Floats:
    """Gaps stretched so that the last of n requests comes at exactly n / rate.

    `vllm bench serve` does so (vllm/benchmarks/serve.py at 009e6d4a): its rate is exact, and its gaps are no
    longer independent.
    """
    return gaps * (len(gaps) / rate / float(gaps.sum()))
