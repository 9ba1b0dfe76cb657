"""Measured kernel times against this model's: error by accelerator, op and format, with nothing left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.catalog import fits, load
from simulator.cost import correction, efficiency, rows
from simulator.cost.ops import Op
from simulator.study import kernel_tables
from simulator.study.kernel_tables import Group

Array = NDArray[np.float64]

# Which rows of an op the main line is about; the others have a line of their own.
SMALL_GEMM = 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table. kind: of rows, such as "n or k < 1024"; ratios: predicted / measured."""

    op: str
    accelerator: str
    backend: str
    dtype: str
    kind: str
    ratios: Array

    @property
    def errors_pct(self) -> Array:
        return np.asarray(np.abs(self.ratios - 1.0) * 100.0)

    def figures(self) -> dict[str, Any]:
        """rows; median and 90th percentile of the absolute error in per cent; bias: median of the ratio."""
        errors = self.errors_pct
        return {
            "rows": len(errors),
            "median_pct": float(np.median(errors)),
            "p90_pct": float(np.percentile(errors, 90)),
            "bias": float(np.median(self.ratios)),
        }


@dataclass(slots=True)
class Report:
    """lines: what was predicted; uncovered: rows by the reason that they were not."""

    lines: list[Line] = field(default_factory=list)
    uncovered: Counter[str] = field(default_factory=Counter)

    def overall(self) -> tuple[float, int]:
        """Median absolute error in per cent over all rows predicted, and how many there are."""
        errors = np.concatenate([line.errors_pct for line in self.lines]) if self.lines else np.empty(0)
        return (float(np.median(errors)) if len(errors) else float("nan")), len(errors)


def validate(paths: list[str], corrected: bool) -> Report:
    """Every table among the files and folders. corrected: with the measured rows that ship, a row's own shape
    left out; else the formula alone."""
    report = Report()
    for file in kernel_tables.files(paths):
        for group in kernel_tables.read(file):
            _add(report, group, corrected)
    report.lines.sort(key=lambda line: (line.op, line.dtype, line.accelerator, line.backend, line.kind))
    return report


def _add(report: Report, group: Group, corrected: bool) -> None:
    if not group.accelerator:
        report.uncovered[f"accelerator {group.given_accelerator!r} is not in the catalogue"] += len(group)
        return
    seconds = predict(group, corrected)
    known = np.isfinite(seconds)
    if not known.all():
        report.uncovered[_missing(group)] += int((~known).sum())
    kinds = _kinds(group)
    for kind in sorted(set(kinds[known])):
        part = known & (kinds == kind)
        ratios = seconds[part] / group.seconds[part]
        dtype = group.dtype + (f", KV {group.kv_dtype}" if group.kv_dtype else "")
        report.lines.append(Line(group.op, group.accelerator, group.backend, dtype, str(kind), ratios))


def predict(group: Group, corrected: bool) -> Array:
    """Seconds of each row of a group; NaN where there is no fit."""
    if group.op == "collectives":
        return _collectives(group)
    if group.op == "elementwise":
        return _elementwise(group)
    if group.dtype not in rows.WEIGHT:
        return np.full(len(group), np.nan)
    hardware = load("accelerators", group.accelerator)
    found = [rows.OPS[group.op](row, group.dtype, hardware) for row in group.rows()]
    each = [correction.formula(op, group.accelerator, group.backend, group.dtype) for op in found]
    seconds = np.array(each)
    return seconds * _factors(group, found) if corrected else seconds


def _factors(group: Group, found: list[Op]) -> Array:
    near = correction.residuals(group.op, group.accelerator, group.backend, group.dtype)
    if near is None:
        return np.ones(len(found))
    shapes = np.array([op.shape for op in found])
    points = correction.coordinates(group.op, shapes)
    return correction.factors(near, points, correction.identity(group.op, shapes))


def _collectives(group: Group) -> Array:
    """By the fit of the same library, kernel and number of accelerators."""
    hardware = load("accelerators", group.accelerator)
    found = []
    for row, kernel in zip(group.rows(), group.kernels):
        known = [
            fit
            for fit in fits.collectives().get((str(row["collective"]), group.accelerator), [])
            if (fit.backend, fit.kernel, fit.gpus) == (group.backend, kernel, row["num_gpus"])
        ]
        op = Op(str(row["collective"]), "", 0.0, float(row["bytes"]), 0.0)
        found.append(efficiency.link_of(known[0], hardware).seconds(op) if known else float("nan"))
    return np.array(found)


def _elementwise(group: Group) -> Array:
    hardware = load("accelerators", group.accelerator)
    found = []
    for row in group.rows():
        fit = fits.exact(f"elementwise:{row['op']}", group.accelerator, group.backend, group.dtype)
        op = Op("elementwise", "", 0.0, float(row["bytes"]), 0.0)
        found.append(efficiency.of_fit(fit, hardware, "fp16").seconds(op) if fit else float("nan"))
    return np.array(found)


def _missing(group: Group) -> str:
    name = f"{group.op} {group.dtype}" + (f" KV {group.kv_dtype}" if group.kv_dtype else "")
    return f"no fit of {name} for {group.accelerator} with {group.backend or 'no backend named'}"


def _kinds(group: Group) -> NDArray[np.str_]:
    """What kind of row each is; "" for those that the main figures are about."""
    columns, found = group.columns, np.full(len(group), "", dtype="<U24")
    if group.op == "gemm":
        found[(columns["n"] < SMALL_GEMM) | (columns["k"] < SMALL_GEMM)] = "n or k < 1024"
    if group.op == "moe":
        found[columns["skew"] > 0] = "skewed routing"
    if group.op.startswith("attention"):
        found = np.array([f"d {size}" for size in columns["head_dim"]], dtype="<U24")
        windowed = columns["window_size"] > 0
        found[windowed] = np.char.add(found[windowed], ", window")
    if group.op == "collectives":
        return np.array([f"{row['collective']} {kernel}" for row, kernel in zip(group.rows(), group.kernels)])
    if group.op == "elementwise":
        return columns["op"].astype("<U24")
    return found


MAIN = ("", "d 64", "d 128")


def main_rows(group: Group) -> NDArray[np.bool_]:
    """The rows that the main figures are about."""
    return np.isin(_kinds(group), MAIN)


def headline(lines: Iterable[Line], op: str, dtype: str) -> tuple[float, list[float]]:
    """The median over fits of the median error of vLLM's main rows of an op and format on the four measured
    data-centre parts, and those medians."""
    wanted = {"h100-sxm", "h200-sxm", "a100-sxm-80", "b200"}
    medians = [
        float(np.median(line.errors_pct))
        for line in lines
        if line.op == op
        and line.backend == "vllm"
        and line.accelerator in wanted
        and (not dtype or line.dtype == dtype)
        and line.kind in MAIN
    ]
    return (float(np.median(medians)) if medians else float("nan")), sorted(medians)
