"""numpy columns as Arrow ones, without the pandas that pyarrow.array imports (a third of a second)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa


def column(values: NDArray[Any], null: NDArray[np.bool_] | None = None) -> pa.Array:
    """A numeric column [n]; null [n]: where it has no value."""
    import pyarrow as pa

    assert values.dtype.kind in "iuf", values.dtype
    data = pa.py_buffer(np.ascontiguousarray(values))
    present = None
    if null is not None and null.any():
        present = pa.py_buffer(np.packbits(~null, bitorder="little"))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [present, data])


def nullable(values: NDArray[Any]) -> pa.Array:
    """A numeric column whose NaN are nulls."""
    return column(values, np.isnan(values) if values.dtype.kind == "f" else None)


def values(column: pa.ChunkedArray | pa.Array, absent: float | None = None) -> NDArray[Any]:
    """A numeric column [n] as numpy; a null is `absent`, or else NaN.

    Raises AssertionError for nulls among whole numbers without `absent`.
    """
    array = column.combine_chunks() if hasattr(column, "chunks") else column
    dtype = np.dtype(array.type.to_pandas_dtype())
    found = np.frombuffer(array.buffers()[1] or b"", dtype)[array.offset : array.offset + len(array)]
    if not array.null_count:
        return found
    assert absent is not None or dtype.kind == "f", f"{array.null_count} nulls in a column of {dtype}"
    return np.where(_present(array), found, np.array(np.nan if absent is None else absent, dtype))


def _present(array: pa.Array) -> NDArray[np.bool_]:
    bits = np.frombuffer(array.buffers()[0], np.uint8)
    return np.unpackbits(bits, bitorder="little")[array.offset : array.offset + len(array)].astype(bool)


def strings(texts: Sequence[str]) -> pa.Array:
    """A column of texts."""
    import pyarrow as pa

    data = [text.encode() for text in texts]
    offset = np.cumsum([0, *map(len, data)]).astype(np.int32)
    buffers = [None, pa.py_buffer(offset), pa.py_buffer(b"".join(data))]
    return pa.Array.from_buffers(pa.string(), len(data), buffers)
