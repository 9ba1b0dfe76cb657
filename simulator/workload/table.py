"""CSV content as columns, with every bad value noted by row and column."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simulator import arrow
from simulator.errors import InputError, Problem
from simulator.workload.reading import Faults, Source

if TYPE_CHECKING:
    import pyarrow as pa

MAX_TOKENS = 2**31 - 1


def header(head: bytes) -> list[str]:
    """The column names of a CSV file's first line, trimmed, in lower case."""
    line = head.split(b"\n", 1)[0].decode("utf-8", "replace")
    return [name.strip().strip('"').lower() for name in line.split(",")]


def csv_text(source: Source, names: Sequence[str], faults: Faults) -> dict[str, pa.Array]:
    """The named columns (in lower case) as text; blank lines left out, "" where a row is too narrow or wide.

    Rows of another width are noted as bad. Raises InputError if a column is missing.
    """
    import pyarrow as pa
    from pyarrow import csv

    spelt = source.head.split(b"\n", 1)[0].decode("utf-8", "replace").rstrip("\r").split(",")
    found = dict(zip(header(source.head), (name.strip('"') for name in spelt)))
    missing = [name for name in names if name not in found]
    if missing:
        raise InputError(Problem(source.name, f"no column {missing[0]!r}", ", ".join(found)))
    ragged: dict[int, str] = {}

    def note(row: Any) -> str:
        ragged[row.number - 2] = row.text  # it counts from 1, the header included
        return "skip"

    wanted = [found[name] for name in names]
    table = csv.read_csv(
        io.BytesIO(source.data),
        read_options=csv.ReadOptions(use_threads=False),
        parse_options=csv.ParseOptions(invalid_row_handler=note),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted, strings_can_be_null=False
        ),
    )
    columns = [table[name].combine_chunks() for name in wanted]
    for row, text in ragged.items():
        faults.add(row, "the row", text, f"{len(found)} columns: {', '.join(found)}")
    return {name: _spread(column, ragged) for name, column in zip(names, columns)}


def _spread(column: pa.Array, gaps: dict[int, str]) -> pa.Array:
    """The column with an empty text at each row that is not in it."""
    if not gaps:
        return column
    import pyarrow as pa

    absent = np.array(sorted(gaps))
    rows = np.arange(len(column) + len(absent))
    places = rows - np.searchsorted(absent, rows, side="left")
    return column.take(pa.array(places, mask=np.isin(rows, absent))).fill_null("")


def whole_numbers(texts: pa.Array, name: str, faults: Faults) -> npt.NDArray[np.int64]:
    """Whole numbers from 0 to 2³¹ − 1; a text that is none is noted as bad, and is −1."""
    import pyarrow as pa

    values = arrow.values(parsed(texts, pa.int64(), name, "a whole number", faults), -1)
    for row in np.flatnonzero((values < 0) | (values > MAX_TOKENS)).tolist():
        faults.add(row, name, texts[row].as_py(), f"0 to {MAX_TOKENS}")
    return np.asarray(values)


def decimals(texts: pa.Array, name: str, faults: Faults) -> npt.NDArray[np.float64]:
    """Finite numbers of at least 0; a text that is none is noted as bad, and is NaN."""
    import pyarrow as pa

    values = arrow.values(parsed(texts, pa.float64(), name, "a number", faults))
    for row in np.flatnonzero(~(values >= 0) | np.isinf(values)).tolist():
        faults.add(row, name, texts[row].as_py(), "a number of at least 0")
    return np.asarray(values)


def parsed(texts: pa.Array, kind: pa.DataType, name: str, allowed: str, faults: Faults) -> pa.Array:
    """Texts as values of an Arrow type; those that are none are noted as bad, and null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.cast(texts, kind)
    except pa.ArrowInvalid:
        pass
    values: list[Any] = []
    for row, part in _halves(texts, kind):
        if part is None:
            faults.add(row, name, texts[row].as_py(), allowed)
        values.append(pa.nulls(1, kind) if part is None else part)
    return pa.concat_arrays(values)


def _halves(texts: pa.Array, kind: pa.DataType) -> Iterator[tuple[int, pa.Array | None]]:
    """Stretches (row of its first, values) that can be converted, and single texts (row, None) that can't."""
    import pyarrow as pa
    import pyarrow.compute as pc

    waiting = [(0, texts)]
    while waiting:
        row, part = waiting.pop()
        try:
            yield row, pc.cast(part, kind)
            continue
        except pa.ArrowInvalid:
            pass
        if len(part) == 1:
            yield row, None
            continue
        middle = len(part) // 2
        waiting += [(row + middle, part[middle:]), (row, part[:middle])]
