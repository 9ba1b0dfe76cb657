"""Fits the catalogue's efficiencies again, where a better form is known, and packs the pool of measured rows.

`python -m simulator.study.fit_kernels FOLDER` rewrites catalog/data/efficiency.csv and
catalog/data/measured.npz from a folder of measured kernel tables. GEMMs in 8 and 4 bits get tiles of rows and
the narrowing of their activations, experts get strips of columns; every other row of efficiency.csv stays.
Seven tenths of the shapes calibrate, the rest judge: a new fit replaces an old one only if it does better
there.
"""

from __future__ import annotations

import csv
import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.catalog import Accelerator, fits, load, pool
from simulator.cost import efficiency, rows
from simulator.cost.ops import Op
from simulator.study import kernel_tables
from simulator.study.kernel_tables import Group
from simulator.study.stray_rows import stray

Array = NDArray[np.float64]
MOST = 2.0  # an efficiency beyond the datasheet's is operands in the cache, and no more than this
NARROW = ("fp8", "fp8_block", "fp4")
# Logarithms of where a search begins: both efficiencies, t0 and tail in seconds, efficiency of narrowing.
STARTS = ((-0.7, -0.1, -12.1, -14.0, -1.0), (-1.5, -0.2, -9.8, -13.5, -0.5), (-0.4, -0.2, -8.4, -15.0, -1.5))


class Form(NamedTuple):
    """p, tile of rows, strip of columns, and whether activations are narrowed first."""

    p: float
    row_tile: int
    width_tile: int
    narrowed: bool


FORMS = {
    "gemm": [Form(2.0, tile, 0, narrowed) for tile in (0, 256) for narrowed in (False, True)],
    "moe": [Form(p, 0, strip, False) for p in (2.0, 1.0) for strip in (0, 128)],
}
HEADER = (
    "op", "accelerator", "backend", "version", "dtype", "kv_dtype", "head_dim",
    "p", "eff_compute", "eff_memory", "t0_us", "tail", "row_tile", "width_tile", "eff_quantize",
    "rows", "median_pct", "p90_pct",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sample:
    """Ops of one kernel with their measured seconds; calibrates: which of them the fit may see."""

    ops: list[Op]
    seconds: Array
    calibrates: NDArray[np.bool_]


def wanted(group: Group) -> bool:
    """Kernels whose form differs from the published fits'."""
    return group.op == "moe" or (group.op == "gemm" and group.dtype in NARROW)


def fit(group: Group, version: str) -> fits.Fit | None:
    """The best fit of the group over the forms tried, by its median error on calibration rows; None with too
    few of them."""
    hardware = load("accelerators", group.accelerator)
    sample = _sample(group, hardware)
    if sample.calibrates.sum() < 100:
        return None
    tried = [_fit_form(hardware, sample, _blank(group, form, version)) for form in FORMS[group.op]]
    return min(tried, key=lambda found: found[0])[1]


def _sample(group: Group, hardware: Accelerator) -> Sample:
    """Balanced routing only, unless there is none: then the least skewed, on one expert rank."""
    found = list(group.rows())
    keep = np.ones(len(found), bool)
    if group.op == "moe":
        least = min(row["skew"] for row in found)
        keep = np.array([row["skew"] == least and (least == 0 or row["moe_ep_size"] == 1) for row in found])
    if group.op == "gemm":
        keep = np.array([row["n"] >= 1024 and row["k"] >= 1024 for row in found])
    ops = [rows.OPS[group.op](row, group.dtype, hardware) for row, kept in zip(found, keep) if kept]
    draws = np.random.Generator(np.random.PCG64(7)).random(len(ops))
    return Sample(ops, group.seconds[keep], draws < 0.7)


def _fit_form(hardware: Accelerator, sample: Sample, blank: fits.Fit) -> tuple[float, fits.Fit]:
    """The median error on calibration rows and the fit of one form."""
    from scipy.optimize import minimize

    parts = _parts(blank, hardware, sample)
    seen = sample.calibrates

    def loss(x: NDArray[Any]) -> float:
        return float(np.abs(np.log(_predict(_with(blank, x), parts) / sample.seconds)[seen]).mean())

    options: Any = {"maxiter": 2000, "xatol": 1e-3, "fatol": 1e-5}
    runs = [minimize(loss, np.array(start), method="Nelder-Mead", options=options) for start in STARTS]
    found = _with(blank, min(runs, key=lambda run: float(run.fun)).x)
    seconds = _predict(found, parts)
    median, p90 = _errors(seconds, sample, ~seen)
    return _errors(seconds, sample, seen)[0], replace(
        found, rows=int(seen.sum()), median_pct=median, p90_pct=p90
    )


def _errors(seconds: Array, sample: Sample, among: NDArray[np.bool_]) -> tuple[float, float]:
    """Median and 90th percentile of the absolute error, per cent."""
    errors = np.abs(seconds / sample.seconds - 1.0)[among] * 100
    return round(float(np.median(errors)), 1), round(float(np.percentile(errors, 90)), 1)


def _blank(group: Group, form: Form, version: str) -> fits.Fit:
    """A fit of that form at full efficiency."""
    return fits.Fit(
        group.op, group.accelerator, group.backend, version, group.dtype, "", 0,
        form.p, 1.0, 1.0, 0.0, 0.0, form.row_tile, form.width_tile, float(form.narrowed), 0, 0.0, 0.0,
    )  # fmt: skip


def _with(blank: fits.Fit, x: Array) -> fits.Fit:
    """Logarithms of efficiencies and seconds → the fit, in the digits that the file keeps."""
    values = np.exp(np.clip(x, -30.0, math.log(MOST)))
    compute, memory, t0, tail, quantize = (float(f"{value:.4g}") for value in values)
    found = replace(blank, eff_compute=compute, eff_memory=memory, t0_s=t0, tail_s=tail)
    return replace(found, eff_quantize=quantize) if blank.eff_quantize else found


Parts = tuple[Array, Array, Array, Array]


def _parts(fit: fits.Fit, hardware: Accelerator, sample: Sample) -> Parts:
    """Seconds of arithmetic, of traffic and of narrowing at full efficiency, and L, of every op."""
    rate = efficiency.of_fit(fit, hardware, rows.peak(fit.dtype))
    pairs = np.array([rate.parts(op) for op in sample.ops])
    narrowed = np.array([rate.s_per_narrowed * op.shape[0] * op.shape[2] for op in sample.ops])
    return pairs[:, 0], pairs[:, 1], narrowed, np.array([op.lead for op in sample.ops])


def _predict(fit: fits.Fit, parts: Parts) -> Array:
    compute, memory = parts[0] / fit.eff_compute, parts[1] / fit.eff_memory
    busy = compute + memory if fit.p == 1.0 else np.hypot(compute, memory)
    narrowing = parts[2] / fit.eff_quantize if fit.eff_quantize else 0.0
    return np.asarray(busy + fit.t0_s + fit.tail_s * parts[3] + narrowing)


def better(new: fits.Fit, old: fits.Fit | None, group: Group) -> bool:
    """Whether the new fit does better on the rows that it did not see."""
    if old is None:
        return True
    hardware = load("accelerators", group.accelerator)
    sample = _sample(group, hardware)
    blank = replace(old, eff_compute=1.0, eff_memory=1.0, eff_quantize=float(old.eff_quantize > 0))
    before, _ = _errors(_predict(old, _parts(blank, hardware, sample)), sample, ~sample.calibrates)
    return new.median_pct < before


def pack(groups: list[Group]) -> dict[str, NDArray[Any]]:
    """The pool's arrays: rows of one kernel sorted by shape, times as steps of a 1024th of a doubling."""
    kernels: dict[str, list[Group]] = {}
    for group in groups:
        if group.accelerator and group.op in pool.COLUMNS:
            name = pool.key(group.op, group.accelerator, group.backend, group.dtype)
            kernels.setdefault(name, []).append(group)
    arrays: dict[str, NDArray[Any]] = {}
    for name, parts in sorted(kernels.items()):
        shapes = np.hstack([_shapes(part) for part in parts])
        seconds = np.concatenate([part.seconds for part in parts])
        order = np.lexsort(shapes[::-1])
        if name.startswith("mla"):
            order = order[~stray(shapes, seconds)[order]]
        arrays[f"{name}/shapes"] = shapes[:, order].astype(np.uint16 if shapes.max() < 1 << 16 else np.uint32)
        arrays[f"{name}/seconds"] = np.round(np.log2(seconds[order] * 1e6) * pool.STEPS).astype(np.int16)
    return arrays


def shipped(group: Group) -> bool:
    """The kernels that the cost model prices with: vLLM's, but where its own were not or badly measured."""
    if group.op.startswith("mla"):
        return group.backend == "trtllm"
    if group.backend == "sglang":
        return group.op == "gemm" and group.dtype == "fp8_block"
    return group.backend == "vllm"


def save(groups: list[Group], path: Path) -> int:
    """Packs measured rows into a pool; how many kernels it holds."""
    arrays: dict[str, Any] = pack(groups)
    np.savez_compressed(path, **arrays)
    return len(arrays) // 2


def _shapes(group: Group) -> NDArray[np.int64]:
    names = [*pool.COLUMNS[group.op], *(["kv_bytes"] if group.kv_dtype else [])]
    columns = [group.columns[name] * (100 if name == "skew" else 1) for name in names]
    return np.array([np.round(column).astype(np.int64) for column in columns])


def _row(fit: fits.Fit) -> list[Any]:
    return [
        fit.op, fit.accelerator, fit.backend, fit.version, fit.dtype, fit.kv_dtype, fit.head_dim or "",
        f"{fit.p:g}", f"{fit.eff_compute:g}", f"{fit.eff_memory:g}", f"{fit.t0_s * 1e6:.4g}",
        f"{fit.tail_s * 1e6:.4g}", fit.row_tile or "", fit.width_tile or "",
        f"{fit.eff_quantize:g}" if fit.eff_quantize else "", fit.rows,
        f"{fit.median_pct:g}", f"{fit.p90_pct:g}",
    ]  # fmt: skip


def main(folder: str) -> None:
    groups = [group for file in kernel_tables.files([folder]) for group in kernel_tables.read(file)]
    groups = [group for group in groups if group.accelerator]
    kept = [fit for found in fits.kernels().values() for fit in found]
    for group in filter(wanted, groups):
        old = fits.exact(group.op, group.accelerator, group.backend, group.dtype)
        new = fit(group, group.version)
        if new and better(new, old, group):
            kept = [row for row in kept if row != old] + [new]
            print(f"{new.op} {new.accelerator} {new.backend} {new.dtype}: {new.median_pct} %")
    kept.sort(key=lambda row: (row.op, row.accelerator, row.backend, row.dtype, row.kv_dtype, row.head_dim))
    with (fits.DATA / "efficiency.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([HEADER, *map(_row, kept)])
    save(list(filter(shipped, groups)), pool.SHIPPED)


if __name__ == "__main__":
    main(sys.argv[1])
