"""The measured correction along what varies in a run: tokens of a step, sequences and their contexts.

A model's matrices are fixed, so the factor of each kernel is found once on a grid of the quantities that
vary, and interpolated between its points (linearly in their logarithms).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from simulator.catalog import pool
from simulator.catalog.fits import Fit
from simulator.cost import correction
from simulator.cost.correction import Array, Residuals
from simulator.cost.ops import Op

Factor = Callable[[Op], float]

# Powers of two, just above them, and half way: kernels change there. Odd and aligned rows run differently.
_POWERS = [2**power for power in range(17)]
TOKENS = sorted({*_POWERS, *(power + 1 for power in _POWERS), *(3 * power // 2 for power in _POWERS[1:])})
ALIGNED = sorted({4 * size for size in TOKENS if size < 1 << 14})
UNALIGNED = sorted({1, 2, 3, 5, 6, 7, *(size + 1 - size % 2 for size in TOKENS if size > 8)})
SEQUENCES = [2**power for power in range(12)]
CONTEXTS = [2**power for power in range(4, 18)]


class Curves:
    """Factors of one replica's kernels by a pool of measured rows, each found when first asked for."""

    def __init__(self, path: Path = pool.SHIPPED) -> None:
        self._path = path
        self._found: dict[tuple[object, ...], Factor] = {}

    def factor(self, op: Op, fit: Fit) -> float:
        """What measured rows near the op say about the formula; 1 where its kernel has none."""
        key = (op.kind, fit, *_fixed(op))
        found = self._found.get(key)
        if found is None:
            near = correction.residuals(fit.op, fit.accelerator, fit.backend, fit.dtype, self._path)
            found = self._found[key] = _factor(op, near) if near is not None else _one
        return found(op)


def _fixed(op: Op) -> tuple[float, ...]:
    """The part of a shape that a run does not change."""
    return op.shape[2:7] if _is_attention(op) else op.shape[1:]


def _is_attention(op: Op) -> bool:
    return op.kind.startswith(("attention", "mla"))


def _one(op: Op) -> float:
    return 1.0


def _factor(op: Op, near: Residuals) -> Factor:
    if op.kind.endswith("decode"):
        return _decode(op, near)
    if op.kind.endswith("prefill"):
        return _prefill(op, near)
    return _gemm(op, near) if op.kind == "gemm" else _moe(op, near)


def _gemm(op: Op, near: Residuals) -> Factor:
    aligned = _curve(op, near, ALIGNED, 0)
    unaligned = _curve(op, near, UNALIGNED, 0)
    return lambda op: aligned(op.shape[0]) if op.shape[0] % 4 == 0 else unaligned(op.shape[0])


def _moe(op: Op, near: Residuals) -> Factor:
    curve = _curve(op, near, TOKENS, 0)
    return lambda op: curve(op.shape[0])


def _prefill(op: Op, near: Residuals) -> Factor:
    """Measured without cached context only: a chunk after much of it keeps little of the factor."""
    curve = _curve(op, near, TOKENS, 1)
    return lambda op: 1.0 + (curve(op.shape[1]) - 1.0) * op.shape[1] / (op.shape[1] + op.shape[7])


def _curve(op: Op, near: Residuals, grid: Sequence[int], column: int) -> Callable[[float], float]:
    """The factor as one column of the op's shape varies."""
    shapes = np.tile(np.array(op.shape, dtype=np.float64), (len(grid), 1))
    shapes[:, column] = grid
    values = correction.factors(near, correction.coordinates(op.kind, shapes)).tolist()
    logs = [math.log2(point) for point in grid]
    return lambda at: _between(logs, values, math.log2(at))


def _between(logs: Sequence[float], values: Sequence[float], at: float) -> float:
    """Linear interpolation, constant outside."""
    index = bisect_right(logs, at)
    if index == 0 or index == len(logs):
        return values[max(0, index - 1)]
    share = (at - logs[index - 1]) / (logs[index] - logs[index - 1])
    return values[index - 1] + share * (values[index] - values[index - 1])


def _decode(op: Op, near: Residuals) -> Factor:
    """Over sequences and keys each, bilinear in their logarithms."""
    grid = [(sequences, context) for sequences in SEQUENCES for context in CONTEXTS]
    shapes = np.tile(np.array(op.shape, dtype=np.float64), (len(grid), 1))
    shapes[:, :2] = grid
    flat: Array = correction.factors(near, correction.coordinates(op.kind, shapes))
    table = flat.reshape(len(SEQUENCES), len(CONTEXTS)).tolist()
    rows, columns = [math.log2(point) for point in SEQUENCES], [math.log2(point) for point in CONTEXTS]

    def factor(op: Op) -> float:
        row, column = math.log2(op.shape[0]), math.log2(op.shape[1])
        above = min(max(1, bisect_right(rows, row)), len(rows) - 1)
        ends = [_between(columns, table[above - 1], column), _between(columns, table[above], column)]
        return _between(rows[above - 1 : above + 1], ends, row)

    return factor
