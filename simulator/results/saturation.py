"""Whether the queue still grows when arrivals end: then no steady state stands behind its percentiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.results.confidence import Floats
from simulator.results.quantiles import student_quantile

_BATCHES = 10
_FEWEST = 200
_SHARE = 0.01  # of the arrivals: what must pile up to call it more than a swing
_GROWTH = 0.25  # of the mean number in the system


@dataclass(frozen=True, slots=True)
class Saturation:
    """saturated: None where the run is too short to tell. Requests/s in the second half of the arrivals.

    growth: requests that piled up in it.
    """

    saturated: bool | None
    reason: str
    offered_per_s: float
    served_per_s: float
    growth: float


def check(
    sent: Floats, ended: Floats, service: Floats, confidence: float, queued: Floats | None = None
) -> Saturation:
    """sent, ended: seconds per request, NaN: not ended; service: seconds being served, queueing apart;
    queued: seconds that those that did not end were queued, NaN: they still are.

    Looks at the second half of the arrivals' window in ten parts: the number in the system must grow (slope
    of its means, one-sided), or fewer end than arrive (one-sided); and what piles up, beyond what fills any
    system that began empty, must be over 1 % of the arrivals and a quarter of the mean number in it. Then as
    many must wait: where it is batches with room that grow, the run is too short to tell where they end.
    """
    window = float(sent.max() - sent.min()) if len(sent) else 0.0
    if len(sent) < _FEWEST or window <= 0:
        return Saturation(
            None, f"too few arrivals to tell ({len(sent)} in {window:.3g} s)", math.nan, math.nan, 0.0
        )
    edges = np.linspace(float(sent.min()) + window / 2, float(sent.max()), _BATCHES + 1)
    arrivals, ends = _counts(sent, edges), _counts(ended[~np.isnan(ended)], edges)
    inside = _number_in_system(sent, ended, edges)
    offered, served = arrivals.sum() / (window / 2), ends.sum() / (window / 2)
    growth = float(arrivals.sum() - ends.sum())
    least = max(_SHARE * float(arrivals.sum()), _GROWTH * float(inside.mean()))
    grows = _slope_is_positive(inside, confidence) or _mean_is_positive(arrivals - ends, confidence)
    typical = float(np.nanmedian(service)) if not np.all(np.isnan(service)) else math.inf
    if growth > least and grows and typical > window / 4:
        reason = (
            f"requests take {typical:.3g} s to serve and arrivals last only {window:.3g} s: too short to tell"
        )
        return Saturation(None, reason, float(offered), float(served), growth)
    excess = growth - _filling(service[sent <= edges[0]], window / 2, float(offered))
    if not (excess > least and grows):
        return Saturation(False, "", float(offered), float(served), growth)
    late = sent >= edges[0]
    waits = _waits(sent[late], ended[late], service[late], None if queued is None else queued[late])
    if float(waits.sum()) / (window / 2) <= _SHARE * float(arrivals.sum()):
        reason = "more are served at once when arrivals end than before, yet none queues: too short to tell"
        return Saturation(None, reason, float(offered), float(served), growth)
    reason = "the number in the system still grows when arrivals end"
    return Saturation(True, reason, float(offered), float(served), growth)


def _waits(sent: Floats, ended: Floats, service: Floats, queued: Floats | None) -> Floats:
    """Seconds that each is not being served; of those not ended, as far as it is known: to the last arrival
    where they never began. By Little's law their sum over a time is the mean number that waits in it.
    """
    waits = ended - sent - service
    if queued is not None:
        waits = np.where(np.isnan(waits), queued, waits)
    return np.where(np.isnan(waits), sent.max(initial=0.0) - sent, waits)


def _filling(service: Floats, half_s: float, rate: float) -> float:
    """By how many requests the second half fills any system that began empty: those that take longer than
    the first half are still coming in. service: of requests of the first half; of later ones a run that is
    cut short knows only the quick.
    """
    known = service[~np.isnan(service)]
    return rate * float(np.clip(known - half_s, 0.0, half_s).mean()) if len(known) else 0.0


def judged(found: Sequence[Saturation]) -> tuple[Saturation, int]:
    """The finding that speaks for all replications, and how many of them are saturated.

    All are when half of them or more are: one alone of many may end in the middle of a burst.
    """
    saturated = [one for one in found if one.saturated]
    if 2 * len(saturated) >= len(found) and saturated:
        return saturated[0], len(saturated)
    known = [one for one in found if one.saturated is False]
    unknown = [one for one in found if one.saturated is None]
    speak = known if len(known) >= len(unknown) else unknown
    return speak[0], len(saturated)


def _counts(times: Floats, edges: Floats) -> Floats:
    return np.histogram(times, edges)[0].astype(np.float64)


def _number_in_system(sent: Floats, ended: Floats, edges: Floats) -> Floats:
    """The time-average number in the system between edges."""
    width = edges[1] - edges[0]
    area = _area(sent, edges) - _area(ended[~np.isnan(ended)], edges)
    return np.asarray(np.diff(area) / width)


def _area(times: Floats, edges: Floats) -> Floats:
    """Σ max(0, edge − time) at each edge."""
    times = np.sort(times)
    count = np.searchsorted(times, edges, side="right")
    total = np.concatenate([[0.0], np.cumsum(times)])
    return np.asarray(count * edges - total[count])


def _mean_is_positive(values: Floats, confidence: float) -> bool:
    half = student_quantile(confidence, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return bool(values.mean() - half > 0)


def _slope_is_positive(values: Floats, confidence: float) -> bool:
    """Least squares over equal steps; the lower end of the slope's one-sided interval."""
    n = len(values)
    x = np.arange(n) - (n - 1) / 2
    slope = float((x * values).sum() / (x * x).sum())
    rest = values - values.mean() - slope * x
    error = math.sqrt(float((rest * rest).sum()) / (n - 2) / float((x * x).sum()))
    return slope - student_quantile(confidence, n - 2) * error > 0
