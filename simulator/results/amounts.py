"""What metrics are made of: functions of a Sample, and functions that make such functions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from simulator.results.sample import Sample
from simulator.results.statistics import Values

Amount = Callable[[Sample], float]


def ratio(above: float, below: float) -> float:
    """above / below, NaN where there is nothing below."""
    return above / below if below else math.nan


def column(name: str) -> Callable[[Sample], Values]:
    """A column of the finished requests that arrived in the window."""
    return lambda sample: sample.of_finished(name)


def good(sample: Sample) -> NDArray[np.bool_]:
    """Which requests finished within every bound of the SLO; a one-token answer passes TPOT."""
    meets, slo = sample.finished.copy(), sample.slo
    if slo is None:
        return meets
    for bound, name in ((slo.ttft_s, "ttft_s"), (slo.tpot_s, "tpot_s"), (slo.e2e_s, "e2e_s")):
        if bound is not None:
            values = sample.requests[name]
            meets &= (values <= bound) | (np.isnan(values) & (name == "tpot_s"))
    return meets


def good_requests(sample: Sample) -> float:
    return float(good(sample).sum()) if sample.slo else math.nan


def attainment(sample: Sample) -> float:
    return ratio(good_requests(sample), float(sample.counted.sum()))


def itl_attainment(sample: Sample) -> float:
    bound = sample.slo.itl_s if sample.slo else None
    if bound is None or sample.gaps is None:
        return math.nan
    return ratio(float(sample.gaps.weights[sample.gaps.seconds <= bound].sum()), sample.gaps.count())


def done(name: str) -> Amount:
    """The sum of a column over the requests that throughput counts."""
    return lambda sample: float(sample.done[name].sum())


def requests(sample: Sample) -> float:
    return len(sample.done["emitted"])


output = done("emitted")


def total(sample: Sample) -> float:
    return float(sample.done["emitted"].sum()) + float(sample.done["prompt_tokens"].sum())


def quotient(above: Amount, below: Amount) -> Amount:
    return lambda sample: ratio(above(sample), below(sample))


def per_second(amount: Amount) -> Amount:
    return lambda sample: ratio(amount(sample), sample.duration_s)


def per_accelerator(amount: Amount) -> Amount:
    return lambda sample: ratio(amount(sample), sample.duration_s * sample.hardware.accelerators)


def per_usd(amount: Amount) -> Amount:
    return lambda sample: ratio(amount(sample), sample.duration_s * sample.hardware.usd_per_s)


def per_million(rate: str, amount: Amount) -> Amount:
    """What is spent over D at a rate of the hardware ($/s or W), per million of `amount`."""

    def spent(sample: Sample) -> float:
        spending: float = getattr(sample.hardware, rate) * sample.duration_s
        return ratio(1e6 * spending, amount(sample))

    return spent


def work(above: str, below: str) -> Amount:
    return lambda sample: ratio(sample.work[above], sample.work[below])


def per_replica(name: str) -> Amount:
    return lambda sample: ratio(sample.work[name], sample.work["elapsed"] * sample.hardware.replicas)


def reached(name: str, limit: str) -> Amount:
    """What was done of the most that the hardware could have done in the time elapsed."""

    def share(sample: Sample) -> float:
        most: float = getattr(sample.hardware, limit) / sample.hardware.replicas
        return ratio(per_replica(name)(sample), most)

    return share


def ridge(sample: Sample) -> float:
    return ratio(sample.hardware.flops_per_s, sample.hardware.bytes_per_s)


def kv_peak(sample: Sample) -> float:
    return sample.work["kv_peak"]
