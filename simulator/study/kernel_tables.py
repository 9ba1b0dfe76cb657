"""Tables of measured kernel times (CSV, also gzipped): which op each is, and its rows by accelerator and
format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simulator import catalog
from simulator.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd

DTYPES = {"bfloat16": "bf16", "float16": "fp16", "half": "fp16", "nvfp4": "fp4"}
KV_BYTES = {"bfloat16": 2, "float16": 2, "fp8": 1}
SKEW = {"balanced": 0.0, "power_law_1.01": 1.01, "power_law_1.2": 1.2}
# The columns that tell what was measured, most telling first.
SIGNS = (
    ("gemm", {"m", "n", "k"}),
    ("moe", {"num_tokens", "topk", "num_experts"}),
    ("collectives", {"collective", "num_gpus", "bytes"}),
    ("elementwise", {"op", "num_tokens", "bytes"}),
    ("attention_prefill", {"q_len", "head_dim", "num_key_value_heads"}),
    ("attention_decode", {"kv_len", "head_dim", "num_key_value_heads"}),
    ("mla_prefill", {"q_len", "num_heads"}),
    ("mla_decode", {"kv_len", "num_heads"}),
)


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one kernel family. accelerator: the catalogue's name, "" if it has none; columns: numbers by
    the table's own names, with kv_bytes and skew where they apply; seconds: measured; kernels: the names the
    table gives them.
    """

    op: str
    accelerator: str
    given_accelerator: str
    backend: str
    version: str
    dtype: str
    kv_dtype: str
    columns: dict[str, NDArray[Any]]
    seconds: NDArray[np.float64]
    kernels: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.seconds)

    def rows(self) -> Iterator[dict[str, Any]]:
        names = list(self.columns)
        for values in zip(*(self.columns[name].tolist() for name in names)):
            yield dict(zip(names, values))


def files(paths: list[str]) -> list[Path]:
    """The tables among files and folders. Raises InputError for a path without any."""
    found: list[Path] = []
    for path in map(Path, paths):
        here = sorted([*path.glob("*.csv"), *path.glob("*.csv.gz")]) if path.is_dir() else [path]
        if not here or not all(file.is_file() for file in here):
            raise InputError(Problem(str(path), "no measured kernel tables here", "*.csv or *.csv.gz files"))
        found += here
    return found


def read(path: Path) -> list[Group]:
    """The rows of one table in groups. Raises InputError if its columns fit no op, or a row is no number."""
    import pandas as pd

    try:
        table = pd.read_csv(path)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise InputError(Problem(str(path), f"not a table: {error}", "CSV with a header")) from error
    op = next((name for name, columns in SIGNS if columns <= set(table.columns)), None)
    if op is None or "us" not in table or "accelerator" not in table:
        wanted = "; ".join(f"{name}: {', '.join(sorted(columns))}" for name, columns in SIGNS)
        raise InputError(Problem(str(path), "no known op has these columns", f"accelerator, us and {wanted}"))
    bad = table.index[~(pd.to_numeric(table["us"], errors="coerce") > 0)]
    if len(bad):
        raise InputError(Problem(f"{path}:{bad[0] + 2}", f"us is no positive number in {len(bad)} rows"))
    return list(_groups(op, table))


def _groups(op: str, table: pd.DataFrame) -> Iterator[Group]:
    for name in ("backend", "dtype", "kv_dtype", "kernel"):
        if name not in table:
            table[name] = "vidur" if name == "backend" and op == "elementwise" else ""
    table = table.fillna({"backend": "", "dtype": "", "kv_dtype": "", "kernel": ""})
    keys = ["accelerator", "backend", "dtype", "kv_dtype"]
    for values, part in table.groupby(keys, sort=True):
        accelerator, backend, dtype, kv = (str(value) for value in values)
        known = catalog.known("accelerators", accelerator)
        yield Group(
            op,
            catalog.canonical("accelerators", accelerator) if known else "",
            accelerator,
            backend,
            str(part["version"].iloc[0]) if "version" in part else "",
            DTYPES.get(dtype, dtype) or "fp16",
            DTYPES.get(kv, kv),
            _columns(part, kv),
            part["us"].to_numpy(np.float64) * 1e-6,
            part["kernel"].to_numpy(object),
        )


def _columns(part: pd.DataFrame, kv: str) -> dict[str, NDArray[Any]]:
    text = {"accelerator", "backend", "dtype", "kv_dtype", "kernel", "version", "us"}
    found = {str(name): part[name].to_numpy() for name in part.columns if name not in text}
    if kv:
        found["kv_bytes"] = np.full(len(part), KV_BYTES.get(kv, 2))
    if "distribution" in found:
        found["skew"] = np.array([SKEW.get(str(value), np.nan) for value in found.pop("distribution")])
    return found
