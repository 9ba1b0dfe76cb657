"""Texts made column by column: a line a row, without a Python object a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simulator import arrow

Column = Any
"""A column of texts, or one text for all rows."""


def texts(values: NDArray[Any] | pa.Array) -> pa.Array:
    """Numbers as JSON reads them, to the last bit."""
    array = arrow.column(values) if isinstance(values, np.ndarray) else values
    return array.cast(pa.string())


def joined(*parts: Column) -> pa.Array:
    """Row by row, the parts one after the other; at least one of them is a column."""
    return pc.binary_join_element_wise(*parts, "")


def lists(values: NDArray[Any], lengths: NDArray[np.int64]) -> pa.Array:
    """JSON lists: of each row the next `lengths` values."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    inner = pa.ListArray.from_arrays(arrow.column(offsets), texts(values))
    return joined("[", pc.binary_join(inner, ","), "]")


def nanoseconds(seconds: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Whole nanoseconds; 0 for NaN."""
    return np.asarray(np.rint(np.nan_to_num(seconds) * 1e9), np.int64)


def microseconds(nanos: NDArray[np.int64]) -> pa.Array:
    """Whole nanoseconds as microseconds with three decimals: nothing is lost, and there is no exponent."""
    rest = pc.utf8_lpad(texts(nanos % 1000), 3, "0")
    return joined(texts(nanos // 1000), ".", rest)


def write(out: IO[bytes], rows: pa.Array, between: str, first: bool) -> bool:
    """Rows with `between` before each but the first of all; whether the next one is the first still."""
    if not len(rows):
        return first
    text = between.join(rows.to_pylist())
    out.write((text if first else between + text).encode())
    return False


def chunks(parts: Sequence[NDArray[Any]], size: int) -> Iterator[tuple[NDArray[Any], ...]]:
    """Columns in pieces of at most `size` rows."""
    for begin in range(0, len(parts[0]), size):
        yield tuple(part[begin : begin + size] for part in parts)
