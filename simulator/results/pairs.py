"""Two designs under the same requests: paired differences, their intervals, and how often one is better.

Common random numbers (Law, Simulation Modeling and Analysis, ch. 11.2; Glasserman and Yao 1992): what both
designs owe to their requests cancels in the difference of a pair. The relative change is a ratio of means
(Cochran, Sampling Techniques, ch. 6); the chance to win is a share with Wilson's interval (1927).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.results.confidence import Floats, Interval
from simulator.results.quantiles import normal_quantile, student_quantile


@dataclass(frozen=True, slots=True)
class Wins:
    """Of `runs` pairs, those in which the second design is better, in which both are equal, and the rest."""

    wins: int
    ties: int
    losses: int
    share: Interval


@dataclass(frozen=True, slots=True)
class Change:
    """From the first design's value a to the second's, b.

    difference: interval of b − a; relative: of b / a − 1, None where a is 0; gain: how many times less the
    difference varies than with independent runs, None where it does not vary; shown: the interval (the
    relative one, if there is one) leaves out 0.
    """

    a: float
    b: float
    difference: Interval
    relative: Interval | None
    gain: float | None
    wins: Wins | None
    shown: bool


def paired(a: Sequence[float], b: Sequence[float], better: str, confidence: float) -> Change | None:
    """From values of replications, pair by pair. None for fewer than two pairs of which both are known."""
    known = _known(a, b)
    if known is None:
        return None
    method = f"Student t over {len(known[0])} paired replications"
    return _change(known, (float(known[0].mean()), float(known[1].mean())), better, confidence, method)


def sectioned(
    whole: tuple[float, float], a: Sequence[float], b: Sequence[float], better: str, confidence: float
) -> Change | None:
    """From the sections of one run each, the same requests in both: around the change of the whole."""
    known = _known(a, b)
    if known is None or len(known[0]) < len(a) or any(math.isnan(value) for value in whole):
        return None
    method = f"sectioning, {len(a)} paired sections"
    return _change(known, whole, better, confidence, method)


def unpaired(a: Sequence[float], b: Sequence[float], confidence: float) -> Change | None:
    """From independent values: Welch's interval (1938), whose degrees of freedom are Satterthwaite's."""
    first, second = (np.asarray(values, np.float64) for values in (a, b))
    first, second = first[~np.isnan(first)], second[~np.isnan(second)]
    if min(len(first), len(second)) < 2:
        return None
    means = float(first.mean()), float(second.mean())
    errors = [float(values.var(ddof=1)) / len(values) for values in (first, second)]
    half = _welch(errors, (len(first), len(second)), confidence)
    difference = _around(means[1] - means[0], half, min(len(first), len(second)), "Welch's t, not paired")
    relative = None
    if means[0]:
        ratio = means[1] / means[0]
        scaled = _welch([errors[0] * ratio**2, errors[1]], (len(first), len(second)), confidence)
        relative = _relative(ratio, scaled / abs(means[0]), difference.n, difference.method)
    return Change(*means, difference, relative, None, None, _shown(relative or difference))


def wilson(successes: float, n: int, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a share: good for few trials and for shares of 0 and 1."""
    z = normal_quantile(0.5 + confidence / 2)
    share, scale = successes / n, 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else centre - half
    return max(low, 0.0), 1.0 if successes == n else min(centre + half, 1.0)


def wins(a: Sequence[float], b: Sequence[float], better: str, confidence: float) -> Wins | None:
    """How often b is better than a; None where neither direction is. A tie counts for neither."""
    if not better:
        return None
    less = [second - first for first, second in zip(a, b, strict=True)]
    won = sum(one < 0 if better == "lower" else one > 0 for one in less)
    ties = sum(one == 0 for one in less)
    low, high = wilson(won, len(less), confidence)
    return Wins(won, ties, len(less) - won - ties, Interval(low, high, len(less), "Wilson"))


def _change(
    known: tuple[Floats, Floats], centre: tuple[float, float], better: str, confidence: float, method: str
) -> Change:
    a, b = known
    n = len(a)
    middle = centre[1] - centre[0]
    difference = _around(middle, _student(b - a - middle, confidence), n, method)
    relative = None
    if centre[0]:
        ratio = centre[1] / centre[0]
        relative = _relative(ratio, _student(b - ratio * a, confidence) / abs(centre[0]), n, method)
    spread = float((b - a).var(ddof=1))
    gain = float(a.var(ddof=1) + b.var(ddof=1)) / spread if spread > 0 else None
    won = wins(a.tolist(), b.tolist(), better, confidence)
    return Change(*centre, difference, relative, gain, won, _shown(relative or difference))


def _known(a: Sequence[float], b: Sequence[float]) -> tuple[Floats, Floats] | None:
    first, second = (np.asarray(values, np.float64) for values in (a, b))
    assert len(first) == len(second), f"{len(first)} and {len(second)} values are no pairs"
    both = ~(np.isnan(first) | np.isnan(second))
    return (first[both], second[both]) if both.sum() >= 2 else None


def _student(rest: Floats, confidence: float) -> float:
    """Half of Student's interval from deviations: around their mean they need not sum to 0."""
    n = len(rest)
    spread = math.sqrt(float((rest * rest).sum()) / (n - 1))
    return student_quantile(0.5 + confidence / 2, n - 1) * spread / math.sqrt(n)


def _welch(errors: Sequence[float], counts: tuple[int, int], confidence: float) -> float:
    """Half of Welch's interval from the squared standard errors of two means."""
    total = sum(errors)
    if not total:
        return 0.0
    df = total**2 / sum(error**2 / (n - 1) for error, n in zip(errors, counts, strict=True))
    return student_quantile(0.5 + confidence / 2, max(int(df), 1)) * math.sqrt(total)


def _around(centre: float, half: float, n: int, method: str) -> Interval:
    return Interval(centre - half, centre + half, n, method)


def _relative(ratio: float, half: float, n: int, method: str) -> Interval:
    """Of ratio − 1. No metric is negative, so none falls by more than 100 %."""
    around = _around(ratio - 1, half, n, method)
    return around._replace(low=max(around.low, -1.0))


def _shown(interval: Interval) -> bool:
    assert interval.high is not None
    return interval.low > 0 or interval.high < 0
