"""numpy columns as Arrow ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def nullable(column: NDArray[Any]) -> pa.Array:
    """An Arrow column whose NaN are nulls."""
    return pa.array(column, from_pandas=True)


def labels(numbers: NDArray[Any], names: Sequence[str]) -> pa.Array:
    """A dictionary column from numbers of names; −1 is null."""
    distinct = list(dict.fromkeys(names))
    where = np.array([distinct.index(name) for name in names], np.int32)
    codes = np.asarray(numbers, np.int32)
    mask = codes < 0
    indices = pa.array(where[np.where(mask, 0, codes)], mask=mask if mask.any() else None)
    return pa.DictionaryArray.from_arrays(indices, pa.array(distinct, pa.string()))


def codes(column: pa.ChunkedArray, names: Sequence[str]) -> NDArray[np.int64]:
    """The other way: numbers of names from a dictionary column; −1 where it is null."""
    combined = column.combine_chunks()
    numbers = np.array([names.index(name) for name in combined.dictionary.to_pylist()] or [-1], np.int64)
    indices = combined.indices
    known = numbers[indices.fill_null(0).to_numpy()]
    return known if not indices.null_count else np.where(indices.is_null(), -1, known)
