"""Measured kernel times that ship with the package: a compact pool for correcting the formula near them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.catalog.fits import DATA

SHIPPED = DATA / "measured.npz"
STEPS = 1024.0  # a time is stored as this many steps a doubling: 0.03 % at most is lost

# The shape columns of each op in the pool, in order; kv_bytes: bytes of a cached element.
COLUMNS = {
    "gemm": ("m", "n", "k"),
    "attention_prefill": (
        "batch_size",
        "q_len",
        "num_heads",
        "num_key_value_heads",
        "head_dim",
        "window_size",
    ),
    "attention_decode": (
        "batch_size",
        "kv_len",
        "num_heads",
        "num_key_value_heads",
        "head_dim",
        "window_size",
    ),
    "mla_prefill": ("batch_size", "q_len", "num_heads"),
    "mla_decode": ("batch_size", "kv_len", "num_heads"),
    "moe": (
        "num_tokens",
        "hidden_size",
        "inter_size",
        "topk",
        "num_experts",
        "moe_tp_size",
        "moe_ep_size",
        "skew",
    ),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Rows of one op, accelerator, backend and format. columns: int64 by name, as in COLUMNS and, for
    attention, kv_bytes; seconds: float64."""

    op: str
    columns: dict[str, NDArray[np.int64]]
    seconds: NDArray[np.float64]


def key(op: str, accelerator: str, backend: str, dtype: str) -> str:
    """The name of a set of rows. Attention's rows of all cache formats are one set."""
    return f"{op}/{accelerator}/{backend}/{dtype}"


@cache
def rows(op: str, accelerator: str, backend: str, dtype: str, path: Path = SHIPPED) -> Measured | None:
    """The measured rows of a pool for this kernel; None if there are none."""
    name = key(op, accelerator, backend, dtype)
    archive = _archive(path)
    if f"{name}/seconds" not in archive.files:
        return None
    shapes = archive[f"{name}/shapes"].astype(np.int64)
    names = list(COLUMNS[op]) + (["kv_bytes"] if "attention" in op or "mla" in op else [])
    columns: dict[str, NDArray[Any]] = dict(zip(names, shapes))
    if "skew" in columns:
        columns["skew"] = columns["skew"] / 100.0
    return Measured(op, columns, np.exp2(archive[f"{name}/seconds"] / STEPS) * 1e-6)


@cache
def _archive(path: Path) -> Any:
    return np.load(path, allow_pickle=False)
