"""Small charts of one line: a character a value."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEVELS = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[float], most: float | None = None) -> str:
    """A bar a value, from 0 to the largest of them or to `most`; a blank for none at all, or NaN."""
    known = [value for value in values if not math.isnan(value)]
    top = most if most is not None else max(known, default=0.0)
    return "".join(_bar(value / top if top else 0.0) for value in values)


def _bar(share: float) -> str:
    if not share > 0:  # NaN, too
        return " "
    return LEVELS[min(int(share * len(LEVELS)), len(LEVELS) - 1)]


def histogram(values: NDArray[np.floating], cells: int) -> list[int]:
    """How many values fall into each of `cells` equal parts from the least to the 99th percentile; what lies
    beyond counts in the last one. [] of nothing."""
    if not len(values):
        return []
    low, high = float(values.min()), float(np.percentile(values, 99))
    if high <= low:
        return [len(values)]
    place = np.minimum(((values - low) / (high - low) * cells).astype(np.int64), cells - 1)
    return [int(count) for count in np.bincount(place, minlength=cells)]
