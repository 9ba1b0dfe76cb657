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
