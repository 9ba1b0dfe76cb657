"""numpy columns as Arrow ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simulator import arrow


class Columns(Protocol):
    """Columns by name: a table, or a file that is read as needed."""

    def __getitem__(self, name: str, /) -> pa.ChunkedArray: ...


def labels(numbers: NDArray[Any], names: Sequence[str]) -> pa.Array:
    """A dictionary column from numbers of names; −1 is null."""
    distinct = list(dict.fromkeys(names))
    where = np.array([distinct.index(name) for name in names], np.int32)
    codes = np.asarray(numbers, np.int32)
    mask = codes < 0
    indices = arrow.column(where[np.where(mask, 0, codes)], mask)
    return pa.DictionaryArray.from_arrays(indices, arrow.strings(distinct))


def codes(column: pa.ChunkedArray, names: Sequence[str]) -> NDArray[np.int64]:
    """The other way: numbers of names from a dictionary column; −1 where it is null."""
    combined = column.combine_chunks()
    numbers = np.array([*(names.index(name) for name in combined.dictionary.to_pylist()), -1], np.int64)
    found: NDArray[np.int64] = numbers[arrow.values(combined.indices, absent=-1)]
    return found
