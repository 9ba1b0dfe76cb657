"""Small charts of one line: a character a value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

LEVELS = "▁▂▃▄▅▆▇█"
CELLS = 16
SHAPED = ("ttft_s", "tpot_s", "e2e_s", "queue_s")


def spark(values: Sequence[float], most: float | None = None) -> str:
    """A bar a value, from 0 to the largest of them or to `most`; a blank for none at all, or NaN."""
    known = [value for value in values if not math.isnan(value)]
    top = most if most is not None else max(known, default=0.0)
    return "".join(_bar(value / top if top else 0.0) for value in values)


def _bar(share: float) -> str:
    if not share > 0:  # NaN, too
        return " "
    return LEVELS[min(int(share * len(LEVELS)), len(LEVELS) - 1)]


def shapes(requests: pa.Table, cut_s: float) -> dict[str, list[int]]:
    """Histograms of the latencies that requests have, of the finished ones sent from the cut on."""
    from simulator import arrow
    from simulator.results.columns import codes
    from simulator.results.record import FINISHED, STATES

    kept = (codes(requests["state"], STATES) == FINISHED) & (arrow.values(requests["sent_s"]) >= cut_s)
    return {name: histogram(arrow.values(requests[name])[kept]) for name in SHAPED}


def histogram(values: Floats, cells: int = CELLS) -> list[int]:
    """How many values fall into each of `cells` equal parts from the least to the 99th percentile; what lies
    beyond counts in the last one. [] of nothing.
    """
    import numpy as np

    values = values[~np.isnan(values)]
    if not len(values):
        return []
    low, high = float(values.min()), float(np.percentile(values, 99))
    if high <= low:
        return [len(values)]
    place = np.minimum(((values - low) / (high - low) * cells).astype(np.int64), cells - 1)
    return [int(count) for count in np.bincount(place, minlength=cells)]
