"""JSON Lines content as columns, with every bad value noted by row and key."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from simulator.workload.reading import Faults, Source
from simulator.workload.table import MAX_TOKENS

Objects: TypeAlias = Sequence[dict[str, Any]]


def first_object(head: bytes) -> dict[str, Any]:
    """The object on the first line; {} if it is something else."""
    try:
        value = json.loads(head.split(b"\n", 1)[0])
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def objects(source: Source, faults: Faults) -> list[dict[str, Any]]:
    """The object of each line, blank lines left out; {}, noted as bad, for a line that is none."""
    lines = [line for line in source.data.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip()]
    try:
        found = json.loads(b"[" + b",".join(lines) + b"]")
        if len(found) == len(lines) and all(type(item) is dict for item in found):
            return list(found)
    except (ValueError, RecursionError):
        pass
    return [_object(row, line, faults) for row, line in enumerate(lines)]


def _object(row: int, line: bytes, faults: Faults) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return value
    faults.add(row, "the line", line[:80].decode("utf-8", "replace"), "a JSON object")
    return {}


def whole_numbers(rows: Objects, key: str, faults: Faults) -> npt.NDArray[np.int64]:
    """Whole numbers from 0 to 2³¹ − 1 under `key`; what is none is noted as bad, and is −1."""
    values = [row.get(key) for row in rows]
    for row, value in enumerate(values):
        if type(value) is not int or not 0 <= value <= MAX_TOKENS:
            faults.add(row, key, value, f"a whole number, 0 to {MAX_TOKENS}")
            values[row] = -1
    return np.array(values, np.int64)


def numbers(rows: Objects, key: str, faults: Faults, *, text: bool = False) -> npt.NDArray[np.float64]:
    """Finite numbers of at least 0 under `key`, NaN where it is absent; with `text`, strings of them too."""
    kinds = (int, float, str) if text else (int, float)
    values = np.full(len(rows), np.nan)
    for row, item in enumerate(rows):
        value = item.get(key)
        if value is None:
            continue
        try:
            number = float(value) if type(value) in kinds else -1.0
        except (ValueError, OverflowError):
            number = -1.0
        if not 0 <= number < float("inf"):
            faults.add(row, key, value, "a number of at least 0")
            continue
        values[row] = number
    return values


def present(rows: Objects, key: str, faults: Faults, *, text: bool = False) -> npt.NDArray[np.float64]:
    """As numbers, and a row without the key is noted as bad."""
    values = numbers(rows, key, faults, text=text)
    for row in np.flatnonzero(np.isnan(values)).tolist():
        faults.add(row, key, rows[row].get(key), "a number of at least 0")
    return values


def session_columns(names: Sequence[object]) -> dict[str, npt.NDArray[np.int32]]:
    """A session column from a name a row (None: none), numbered as they first appear; {} if none has one."""
    known: dict[object, int] = {}
    numbered = [-1 if name is None else known.setdefault(name, len(known)) for name in names]
    return {"session": np.array(numbered, np.int32)} if known else {}
