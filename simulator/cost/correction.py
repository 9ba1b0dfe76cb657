"""What measured kernels near a point say about the formula there: a factor on its time, fading with distance.

ln(measured / formula) of the nearest rows, weighted by nearness, with the plane through them (ridge
regression) where they lie to one side. Distances are in doublings of each quantity.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulator.catalog import Accelerator, fits, load, pool
from simulator.cost import efficiency, rows
from simulator.cost.efficiency import Rate
from simulator.cost.ops import Op

Array = NDArray[np.float64]

NEIGHBOURS = 10
SOFTENING = 0.2  # doublings: nearer rows than this count alike
RIDGE = 0.1
FULL, GONE = 1.0, 4.0  # doublings from the nearest row: up to FULL all of the factor, beyond GONE none


@dataclass(frozen=True, slots=True)
class Residuals:
    """points: [rows, coordinates]; values: ln(measured / formula); shapes: [rows, columns], to leave a row's
    own shape out."""

    points: Array
    values: Array
    shapes: Array


def coordinates(kind: str, shapes: Array) -> Array:
    """Op.shape of many ops, [ops, columns] → points whose distance says how alike two kernels are."""
    with np.errstate(divide="ignore"):
        logs = np.log2(np.maximum(shapes, 1e-9))
    if kind == "gemm":
        m = shapes[:, 0]
        return np.column_stack([logs, 0.7 * np.ceil(logs[:, 0] - 1e-9), 1.5 * (m % 4 > 0)])
    if kind == "moe":
        return _moe_coordinates(shapes, logs)
    windowed = (shapes[:, 6] > 0) * (2.0 if kind.startswith("attention") else 0.0)
    return np.column_stack([logs[:, :4], 1.5 * (logs[:, 4] - 7.0), 1.5 * (1.0 - logs[:, 5]), windowed])


def _moe_coordinates(shapes: Array, logs: Array) -> Array:
    """What the benchmark varies, and what the kernel sees: width on the rank, rows an expert, experts hit."""
    tokens, _, _, per_token, total, _, ep = shapes.T[:7]
    routed = tokens * per_token / ep
    hit = np.minimum(total / ep, np.maximum(routed, 1.0))
    return np.column_stack(
        [0.7 * logs[:, :7], logs[:, 2], np.log2(routed / hit), np.log2(hit), 1.5 * shapes[:, 7]]
    )


def factors(residuals: Residuals, points: Array, leave_out: Array | None = None) -> Array:
    """The factor at each of `points`. leave_out: shapes, a row each, whose own measured rows don't count."""
    found = np.empty(len(points))
    own, theirs = _numbered(leave_out, residuals.shapes) if leave_out is not None else (None, None)
    for start in range(0, len(points), 512):
        part = slice(start, start + 512)
        distance = _distances(points[part], residuals.points)
        if own is not None and theirs is not None:
            distance[own[part, None] == theirs[None, :]] = np.inf
        found[part] = _local(residuals, points[part], distance)
    return found


def _numbered(a: Array, b: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A number for each row of both, equal where the rows are."""
    _, numbers = np.unique(np.vstack([a, b]), axis=0, return_inverse=True)
    return numbers[: len(a)], numbers[len(a) :]


def _distances(a: Array, b: Array) -> Array:
    squared = (a * a).sum(1)[:, None] + (b * b).sum(1)[None, :] - 2.0 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def _local(residuals: Residuals, points: Array, distance: Array) -> Array:
    count = min(NEIGHBOURS, distance.shape[1])
    near = np.argpartition(distance, count - 1, axis=1)[:, :count]
    apart = np.take_along_axis(distance, near, axis=1)
    weight = np.where(np.isfinite(apart), 1.0 / (apart + SOFTENING), 0.0)
    weight /= weight.sum(1, keepdims=True)
    values = residuals.values[near]
    offsets = residuals.points[near] - points[:, None, :]
    mean, centre = (weight * values).sum(1), (weight[:, :, None] * offsets).sum(1)
    offsets -= centre[:, None, :]
    weighted = weight[:, :, None] * offsets
    normal = np.matmul(weighted.transpose(0, 2, 1), offsets) + RIDGE * np.eye(points.shape[1])
    right = np.matmul(weighted.transpose(0, 2, 1), (values - mean[:, None])[:, :, None])
    slope = np.linalg.solve(normal, right)[:, :, 0]
    value = np.clip(mean - (centre * slope).sum(1), values.min(1), values.max(1))
    fade = np.clip((GONE - apart.min(1)) / (GONE - FULL), 0.0, 1.0)
    return np.asarray(np.exp(value * fade))


@cache
def residuals(
    op: str, accelerator: str, backend: str, dtype: str, path: Path = pool.SHIPPED
) -> Residuals | None:
    """Of a pool's rows for this kernel against their own fit; None if there are none."""
    measured = pool.rows(op, accelerator, backend, dtype, path)
    if measured is None:
        return None
    hardware: Accelerator = load("accelerators", accelerator)
    return of_rows(measured, hardware, backend, dtype)


def of_rows(measured: pool.Measured, accelerator: Accelerator, backend: str, dtype: str) -> Residuals | None:
    """ln(measured / formula) of rows for which the catalogue has a fit."""
    names = list(measured.columns)
    values = zip(*(measured.columns[name].tolist() for name in names))
    ops = [rows.OPS[measured.op](dict(zip(names, row)), dtype, accelerator) for row in values]
    seconds = np.array([formula(op, accelerator.name, backend, dtype) for op in ops])
    known = np.isfinite(seconds)
    if not known.any():
        return None
    shapes = np.array([op.shape for op in ops])[known]
    ratios = np.log(measured.seconds[known] / seconds[known])
    return Residuals(coordinates(measured.op, shapes), ratios, identity(measured.op, shapes))


def identity(kind: str, shapes: Array) -> Array:
    """What makes two measurements the same shape: all but the cache's format."""
    return shapes if kind in ("gemm", "moe") else np.delete(shapes, 5, axis=1)


def formula(op: Op, accelerator: str, backend: str, dtype: str) -> float:
    """Seconds by the fit to exactly this kernel; NaN without one."""
    rate = _own_rate(op.kind, accelerator, backend, dtype, *attention_key(op))
    return rate.seconds(op) if rate else float("nan")


def attention_key(op: Op) -> tuple[str, int]:
    """Cache format and head size, which attention's fits differ by; ("", 0) for other ops."""
    if "attention" not in op.kind and "mla" not in op.kind:
        return "", 0
    return "fp8" if op.shape[5] == 1.0 else "bf16", int(op.shape[4])


@cache
def _own_rate(
    kind: str, accelerator: str, backend: str, dtype: str, kv_dtype: str, head_dim: int
) -> Rate | None:
    found = fits.exact(kind, accelerator, backend, dtype, kv_dtype, head_dim)
    if found is None:
        return None
    return efficiency.of_fit(found, load("accelerators", accelerator), rows.peak(dtype))
