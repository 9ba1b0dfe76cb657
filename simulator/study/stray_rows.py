"""Measured rows that are no time of their kernel: single ones, far above everything measured around them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAREST = 10
TIMES = 10.0
"""A row that takes so many times the second slowest of its nearest is left out. Of 14,000 rows of latent
attention eight are (19 to 215 times the formula); seven have a twin of the same shape with the other cache
format, which takes a twelfth to a two-hundredth of their time. Other ops keep theirs: where those are slow,
they are so on several accelerators alike."""


def stray(shapes: NDArray[np.integer[Any]], seconds: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows to leave out. shapes: [columns, rows]; near is near in doublings of the first three."""
    from scipy.spatial import cKDTree

    places = np.log2(shapes[:3].T.astype(np.float64))
    _, found = cKDTree(places).query(places, k=min(NEAREST + 2, len(seconds)))
    others = np.where(found == np.arange(len(seconds))[:, None], np.nan, seconds[found])
    # rows of one shape tie, so the row itself is not always the first of its nearest
    around = np.array([row[~np.isnan(row)][:NEAREST] for row in others])
    return np.asarray(seconds > TIMES * np.sort(around, axis=1)[:, -2])
