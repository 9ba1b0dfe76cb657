"""Where the time of a run's requests went: the parts of the waterfall on average, and of the slowest."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from simulator import arrow
from simulator.results.columns import Columns, codes
from simulator.results.parts import WATERFALL
from simulator.results.record import FINISHED, STATES

SLOWEST = 0.01
BY = ("ttft_s", "tpot_s", "e2e_s")

Decomposition = dict[str, dict[str, float]]


def decompose(requests: Columns, cut_s: float) -> Decomposition:
    """Mean seconds of each part, of finished requests sent from the cut on, of one replication.

    "mean": of all; "ttft_s", "tpot_s", "e2e_s": of the 1 % that are slowest by that, at least one. NaN where
    there are none.
    """
    kept = (codes(requests["state"], STATES) == FINISHED) & (arrow.values(requests["sent_s"]) >= cut_s)
    parts = {name: arrow.values(requests[name])[kept] for name in WATERFALL}
    found = {"mean": _means(parts, np.ones(int(kept.sum()), np.bool_))}
    for name in BY:
        values = arrow.values(requests[name])[kept]
        found[name] = _means(parts, slowest(values))
    return found


def slowest(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The largest 1 % of the values that are known, all equal ones with them."""
    known = np.sort(values[~np.isnan(values)])
    if not len(known):
        return np.zeros(len(values), np.bool_)
    least = known[len(known) - math.ceil(SLOWEST * len(known))]
    return np.asarray(values >= least)


def _means(parts: dict[str, NDArray[np.float64]], rows: NDArray[np.bool_]) -> dict[str, float]:
    return {name: float(values[rows].mean()) if rows.any() else math.nan for name, values in parts.items()}
