"""Where steps lie under the roof: how long they ran, by arithmetic intensity and FLOP/s reached.

A run of equal decode steps lies where its mean step does. A cell is a thirty-second of a decade wide and
high.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from simulator import arrow
from simulator.results.columns import labels
from simulator.results.gaps import Counting, Floats, Ints
from simulator.results.timeline import ReplicaFacts
from simulator.results.totals import KINDS, kind_of
from simulator.units import GRID_S

CELLS = 32  # a decade
NAMES = ("prefill", "mixed", "decode")
"""Of totals.KINDS."""

_BITS = 10  # of a cell's number on either axis
_FROM = 256  # added to it: from 10⁻⁸


class Density:
    """Adds up runs of steps, by pool and kind of step. Whole grid units: the same in any order."""

    __slots__ = ("_counting", "_pool", "pools")

    def __init__(self, replicas: Sequence[ReplicaFacts]) -> None:
        self.pools = tuple(dict.fromkeys(replica.pool for replica in replicas))
        self._pool = np.array([self.pools.index(replica.pool) for replica in replicas], np.int64)
        self._counting = Counting()

    def add(self, step: Mapping[str, Floats], units: Floats) -> None:
        """step: columns of StepRow; units [runs]: how long each run took. Steps of given times have no
        place."""
        flops, moved = step["flops"], step["bytes"]
        told = (flops > 0) & (moved > 0) & (units > 0)
        if not told.any():
            return
        x = _cell(flops[told] / moved[told])
        y = _cell(flops[told] / (units[told] * GRID_S))
        kind = kind_of(step["decodes"], step["chunks"])[told]
        row = self._pool[step["replica"][told].astype(np.int64)] * len(KINDS) + kind
        self._counting.add((row << 2 * _BITS) | (x << _BITS) | y, units[told].astype(np.int64))

    def table(self, replication: int) -> pa.Table:
        """A row a cell that a step ran in: pool, kind of step, the cell's lower edges, seconds."""
        found = self._counting.result()
        mask = (1 << _BITS) - 1
        row, x, y = found.values >> 2 * _BITS, (found.values >> _BITS) & mask, found.values & mask
        return pa.table(
            {
                "replication": arrow.column(np.full(len(row), replication, np.int16)),
                "pool": labels(row // len(KINDS), self.pools),
                "kind": labels(row % len(KINDS), NAMES),
                "intensity": arrow.column(_edge(x)),
                "flops_per_s": arrow.column(_edge(y)),
                "seconds": arrow.column(found.weights * GRID_S),
            }
        )


def _cell(values: Floats) -> Ints:
    numbers = np.floor(CELLS * np.log10(values)).astype(np.int64) + _FROM
    return np.asarray(np.clip(numbers, 0, (1 << _BITS) - 1))


def _edge(cell: Ints) -> Floats:
    return np.asarray(10.0 ** ((cell - _FROM) / CELLS))
