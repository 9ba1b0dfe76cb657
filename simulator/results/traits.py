"""What sets a group of requests apart from the others, on one scale for all kinds of columns.

A number: Cliff's delta (1993), how much oftener it is larger in the group than smaller, over all pairs. A
label: the difference of its shares. A time: the window in which the group's share exceeds the others' most.
Each lies between 0 (alike) and 1 (apart). Under 0.147 an effect is negligible (Romano et al. 2006), and one
that chance alone makes in a hundredth of such questions is left out; requests that share a queue hang
together, so that this is the least one can ask.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.results.quantiles import normal_quantile

Floats = NDArray[np.floating[Any]]
Rows = NDArray[np.bool_]

NEGLIGIBLE = 0.147
LEVEL = 0.01
_TERMS = 40


@dataclass(frozen=True, slots=True)
class Trait:
    """kind: "number" (group, others: medians; effect signed: larger in the group), "label" (shares that have
    `value`) or "window" (shares that come within `value`, s)."""

    column: str
    kind: str
    effect: float
    group: float
    others: float
    value: Any = None


def numbers(column: str, group: Floats, others: Floats, questions: int) -> Trait | None:
    """By Cliff's delta; None if it is negligible or may be chance."""
    group, others = group[~np.isnan(group)], others[~np.isnan(others)]
    if not len(group) or not len(others):
        return None
    delta = cliff(group, others)
    n, m = len(group), len(others)
    chance = _z(questions) * math.sqrt((n + m + 1) / (3 * n * m))
    if abs(delta) < max(chance, NEGLIGIBLE):
        return None
    return Trait(column, "number", delta, float(np.median(group)), float(np.median(others)))


def cliff(group: Floats, others: Floats) -> float:
    """P(larger) − P(smaller) of a pair, one of each; O(n log n)."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, group, side="left")
    above = len(others) - np.searchsorted(ordered, group, side="right")
    return float((below - above).mean() / len(others))


def labels(
    column: str, values: Sequence[Any], codes: NDArray[np.int64], group: Rows, others: Rows, questions: int
) -> Trait | None:
    """The label whose share differs most. codes: numbers of `values`, −1 for none."""
    counts = [np.bincount(codes[rows & (codes >= 0)], minlength=len(values)) for rows in (group, others)]
    n, m = (int(count.sum()) for count in counts)
    present = int((counts[0] + counts[1] > 0).sum())
    if not n or not m or present < 2:
        return None
    shares = [count / total for count, total in zip(counts, (n, m), strict=True)]
    apart = shares[0] - shares[1]
    best = int(np.argmax(apart))  # what the group has more of: a small share it lacks says little
    whole = (counts[0][best] + counts[1][best]) / (n + m)
    chance = _z(questions * present) * math.sqrt(whole * (1 - whole) * (1 / n + 1 / m))
    if apart[best] < max(chance, NEGLIGIBLE):
        return None
    return Trait(
        column, "label", float(apart[best]), float(shares[0][best]), float(shares[1][best]), values[best]
    )


def window(column: str, times: Floats, group: Rows, others: Rows, questions: int) -> Trait | None:
    """The stretch of time with most of the group and least of the others; chance by Kuiper's statistic."""
    n, m = int(group.sum()), int(others.sum())
    if not n or not m:
        return None
    rows = np.flatnonzero(group | others)
    rows = rows[np.argsort(times[rows], kind="stable")]
    later = np.diff(times[rows]) > 0  # a window holds all of an instant, or nothing
    excess = np.cumsum(np.where(group[rows], 1 / n, -1 / m))
    before = np.where(np.concatenate([[True], later]), np.concatenate([[0.0], excess[:-1]]), np.inf)
    excess = np.where(np.concatenate([later, [True]]), excess, -np.inf)
    lowest = np.minimum.accumulate(before)
    end = int(np.argmax(excess - lowest))
    begin = int(np.argmin(before[: end + 1]))
    inside = slice(begin, end + 1)
    effect = float(excess[end] - lowest[end])
    if effect < NEGLIGIBLE or kuiper(effect, n, m) * questions > LEVEL:
        return None
    shares = float(group[rows[inside]].sum() / n), float(others[rows[inside]].sum() / m)
    return Trait(column, "window", effect, *shares, (float(times[rows[begin]]), float(times[rows[end]])))


def kuiper(statistic: float, n: int, m: int) -> float:
    """How often two samples alike differ so much (Stephens 1970; Press et al., Numerical Recipes, 14.3)."""
    size = math.sqrt(n * m / (n + m))
    scaled = (size + 0.155 + 0.24 / size) * statistic
    if scaled < 0.4:
        return 1.0
    terms = (2 * (j * scaled) ** 2 for j in range(1, _TERMS))
    return min(1.0, 2 * sum((2 * square - 1) * math.exp(-square) for square in terms))


def _z(questions: int) -> float:
    return normal_quantile(1 - LEVEL / (2 * questions))


def ranked(found: Sequence[Trait | None]) -> list[Trait]:
    """Those that there are, the strongest first."""
    return sorted((trait for trait in found if trait is not None), key=lambda trait: -abs(trait.effect))


def coded(values: Sequence[Any]) -> tuple[list[Any], NDArray[np.int64]]:
    """Distinct labels in order of appearance, and each row's number among them; −1 for None."""
    places: Mapping[Any, int] = {
        value: n for n, value in enumerate(dict.fromkeys(v for v in values if v is not None))
    }
    return list(places), np.array([-1 if value is None else places[value] for value in values], np.int64)
