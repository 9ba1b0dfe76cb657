"""The product's own traces: Parquet, a row a request, provenance in the file's metadata. See docs/traces.md.

A run's requests.parquet is read too: its workload's columns, of one replication, just as they were simulated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simulator.arrow import column, nullable, values
from simulator.errors import InputError, Problem
from simulator.workload.columns import DTYPES, RAGGED, Workload, workload
from simulator.workload.reading import Faults, Rows, Source, assemble

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = 1
METADATA = b"sim.workload"
NEEDED = ("arrival_s", "prompt_tokens", "output_tokens")
LISTS = ("segment_id", "segment_tokens")
_ABSENT: dict[str, float] = {"session": -1, "turn": -1, "tenant": 0, "priority": 0, "output_segment": 0}
_ABSENT |= {"think_s": np.nan}


@dataclass(frozen=True, slots=True)
class Options:
    """replication: which one, of a run's requests.parquet."""

    replication: int = 0


def sniff(head: bytes) -> bool:
    return head.startswith(b"PAR1")


def read(source: Source, options: Options, faults: Faults) -> Workload:
    """The file's requests, in its order and on its clock. Raises InputError if it is no such file."""
    table, stored = _table(source)
    if "replication" in table.column_names:
        table = _one_replication(table, options.replication, source.name)
    columns = _columns(table, source.name)
    record = source.provenance("parquet") | ({"origin": stored} if stored else {})
    if _in_order(columns):
        return workload(**columns, provenance=record)
    return _mended(columns, faults, record)


def _in_order(columns: dict[str, npt.NDArray[Any]]) -> bool:
    """Whether nothing is to be dropped or sorted: then the clock is not touched either; replays are exact."""
    arrival = columns["arrival_s"]
    tokens = (columns[name].min(initial=1) >= 1 for name in ("prompt_tokens", "output_tokens"))
    return bool(len(arrival) and arrival[0] >= 0 and np.all(np.diff(arrival) >= 0) and all(tokens))


def _mended(columns: dict[str, npt.NDArray[Any]], faults: Faults, record: dict[str, Any]) -> Workload:
    rest = {name: column for name, column in columns.items() if name not in NEEDED}
    arrival = columns["arrival_s"].astype(np.float64)
    for row in np.flatnonzero(~np.isfinite(arrival)).tolist():
        faults.add(row, "arrival_s", float(arrival[row]), "a finite number of seconds")
    for name in ("prompt_tokens", "output_tokens"):
        for row in np.flatnonzero(columns[name] < 0).tolist():
            faults.add(row, name, int(columns[name][row]), "a whole number of at least 0")
    prompt, output = (columns[name].astype(np.int64) for name in ("prompt_tokens", "output_tokens"))
    return assemble(Rows(arrival, prompt, output, rest), faults, record)


def _table(source: Source) -> tuple[pa.Table, dict[str, Any]]:
    """The columns of a workload that the file has, and the provenance that it was written with."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(source.data))
    except pa.ArrowInvalid as error:
        raise InputError(Problem(source.name, f"no readable Parquet: {error}")) from None
    names = file.schema_arrow.names
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise InputError(Problem(source.name, f"no column {missing[0]!r}", ", ".join(names)))
    wanted = [name for name in (*DTYPES, *LISTS, "replication") if name in names]
    stored = json.loads((file.schema_arrow.metadata or {}).get(METADATA, b"{}"))
    if stored.get("schema", SCHEMA) != SCHEMA:
        raise InputError(Problem(source.name, f"written with schema {stored['schema']}", f"schema {SCHEMA}"))
    return file.read(list(dict.fromkeys(wanted))), stored.get("provenance", {})


def _one_replication(table: pa.Table, number: int, file: str) -> pa.Table:
    import pyarrow.compute as pc

    picked = table.filter(pc.equal(table["replication"], number))
    if not picked.num_rows:
        known = ", ".join(str(value) for value in pc.unique(table["replication"]).to_pylist())
        raise InputError(Problem(file, f"no replication {number}", known, "format_options: {replication: …}"))
    return picked


def _columns(table: pa.Table, file: str) -> dict[str, npt.NDArray[Any]]:
    """numpy columns by name; nulls are what absent columns would be."""
    found: dict[str, npt.NDArray[Any]] = {}
    for name in table.column_names:
        if name in LISTS or name not in DTYPES:
            continue
        column = _typed(table[name].combine_chunks(), name, file)
        if column.null_count and name not in _ABSENT:
            raise InputError(
                Problem(file, f"column {name} has {column.null_count} nulls", "a number in each row")
            )
        found[name] = values(column, _ABSENT.get(name))
    if all(name in table.column_names for name in LISTS):
        found |= _segments(table, file)
    return found


def _segments(table: pa.Table, file: str) -> dict[str, npt.NDArray[Any]]:
    ids, tokens = (table[name].combine_chunks() for name in LISTS)
    offset = values(ids.offsets).astype(np.int64)
    if not np.array_equal(offset, values(tokens.offsets)):
        raise InputError(
            Problem(file, "segment_id and segment_tokens differ in length", "a number for each id")
        )
    within = slice(int(offset[0]), int(offset[-1]))
    flat = {
        name: values(_typed(column.values, name, file))[within] for name, column in zip(LISTS, (ids, tokens))
    }
    return {"segment_offset": offset - offset[0], **flat}


def _typed(column: pa.Array, name: str, file: str) -> pa.Array:
    """The column as the Arrow type that a workload has; losing a digit is refused."""
    import pyarrow as pa

    kind = pa.from_numpy_dtype(DTYPES[name])
    if column.type == kind:
        return column
    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(Problem(file, f"column {name} is {column.type}, no {kind}: {error}")) from None


def write(load: Workload, path: str | Path) -> None:
    """The workload as a file: the same bytes for the same workload, by the same version of Arrow."""
    import pyarrow.parquet as pq

    table = arrow(load)
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=19,
        write_statistics=False,
        **_encodings(table.column_names),
    )


def _encodings(names: list[str]) -> dict[str, Any]:
    """Ids and times that hardly repeat are stored as differences or byte streams, the rest by dictionary."""
    plain = {
        "arrival_s": "BYTE_STREAM_SPLIT",
        "think_s": "BYTE_STREAM_SPLIT",
        "session": "DELTA_BINARY_PACKED",
    }
    plain |= {"segment_id.list.element": "DELTA_BINARY_PACKED", "output_segment": "DELTA_BINARY_PACKED"}
    paths = [f"{name}.list.element" if name in LISTS else name for name in names]
    encodings = {path: plain[path] for path in paths if path in plain}
    return {"use_dictionary": [path for path in paths if path not in plain], "column_encoding": encodings}


def arrow(load: Workload) -> pa.Table:
    """The workload as a table: columns that say nothing are left out; provenance is in the metadata."""
    import pyarrow as pa

    kept = {
        name: getattr(load, name) for name in DTYPES if name not in RAGGED and _says_something(load, name)
    }
    columns: dict[str, pa.Array] = {name: nullable(values) for name, values in kept.items()}
    if len(load.segment_id):
        offset = column(load.segment_offset.astype(np.int32))
        columns |= {name: pa.ListArray.from_arrays(offset, column(getattr(load, name))) for name in LISTS}
    stored = {"schema": SCHEMA, "provenance": load.provenance}
    metadata = {METADATA: json.dumps(stored, sort_keys=True, ensure_ascii=False)}
    return pa.table(columns).replace_schema_metadata(metadata)


def _says_something(load: Workload, name: str) -> bool:
    if name in NEEDED:
        return True
    if name == "max_tokens":
        return not np.array_equal(load.max_tokens, load.output_tokens)
    column = getattr(load, name)
    return not (np.isnan(column).all() if name == "think_s" else np.all(column == _ABSENT[name]))
