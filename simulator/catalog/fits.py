"""Fitted efficiencies and collectives as the data files hold them: rows of numbers with the error of their
fit."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Fit:
    """t = ((F / eff_compute·P)^p + (B / eff_memory·W)^p)^(1/p) + t0 + tail·L of one kernel.

    t0_s, tail_s: seconds (tail per unit of L, see cost/ops.py); rows: calibration rows; median_pct, p90_pct:
    absolute error on held-out rows, per cent. dtype: of the arithmetic, or the weight format of
    mixture-of-experts kernels.
    row_tile: a GEMM computes whole tiles of so many rows (0: as many as there are); width_tile: an expert is
    worked on in strips of so many columns; eff_quantize: share of the memory's bandwidth at which
    activations are narrowed before the GEMM (0: they are not).
    """

    op: str
    accelerator: str
    backend: str
    version: str
    dtype: str
    kv_dtype: str
    head_dim: int
    p: float
    eff_compute: float
    eff_memory: float
    t0_s: float
    tail_s: float
    row_tile: int
    width_tile: int
    eff_quantize: float
    rows: int
    median_pct: float
    p90_pct: float


@dataclass(frozen=True, slots=True)
class CollectiveFit:
    """t = min(alpha1 + x·f1/eff1, alpha2 + x·f2/eff2), x = bytes / link_bytes_per_s; f1, f2: see
    cost/ops.py."""

    collective: str
    accelerator: str
    backend: str
    version: str
    kernel: str
    gpus: int
    link_bytes_per_s: float
    alpha1_s: float
    eff1: float
    alpha2_s: float
    eff2: float
    rows: int
    median_pct: float
    p90_pct: float


@cache
def kernels() -> dict[tuple[str, str], list[Fit]]:
    """Fits by (op, accelerator)."""
    found: dict[tuple[str, str], list[Fit]] = {}
    for row in _rows("efficiency.csv"):
        found.setdefault((row["op"], row["accelerator"]), []).append(_fit(row))
    return found


@cache
def collectives() -> dict[tuple[str, str], list[CollectiveFit]]:
    """Fits by (collective, accelerator)."""
    found: dict[tuple[str, str], list[CollectiveFit]] = {}
    for row in _rows("collectives.csv"):
        found.setdefault((row["collective"], row["accelerator"]), []).append(_collective(row))
    return found


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _fit(row: dict[str, str]) -> Fit:
    return Fit(
        row["op"],
        row["accelerator"],
        row["backend"],
        row["version"],
        row["dtype"],
        row["kv_dtype"],
        int(row["head_dim"] or 0),
        float(row["p"]),
        float(row["eff_compute"] or 1.0),
        float(row["eff_memory"]),
        float(row["t0_us"]) * 1e-6,
        float(row["tail"] or 0.0) * 1e-6,
        int(row["row_tile"] or 0),
        int(row["width_tile"] or 0),
        float(row["eff_quantize"] or 0.0),
        int(row["rows"] or 0),
        float(row["median_pct"]),
        float(row["p90_pct"]),
    )


def _collective(row: dict[str, str]) -> CollectiveFit:
    return CollectiveFit(
        row["collective"],
        row["accelerator"],
        row["backend"],
        row["version"],
        row["kernel"],
        int(row["gpus"]),
        float(row["link_bytes_per_s"]),
        float(row["alpha1_us"]) * 1e-6,
        float(row["eff1"]),
        float(row["alpha2_us"]) * 1e-6,
        float(row["eff2"]),
        int(row["rows"]),
        float(row["median_pct"]),
        float(row["p90_pct"]),
    )


def exact(
    op: str, accelerator: str, backend: str, dtype: str, kv_dtype: str = "", head_dim: int = 0
) -> Fit | None:
    """The fit of exactly this kernel, at the nearest head size; None if there is none."""
    found = [
        row
        for row in kernels().get((op, accelerator), [])
        if (row.backend, row.dtype) == (backend, dtype) and (not kv_dtype or row.kv_dtype == kv_dtype)
    ]
    return min(found, key=lambda row: abs(row.head_dim - head_dim), default=None)
