"""One replication of a run folder, read by columns and in batches: memory stays bounded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simulator import arrow
from simulator.errors import InputError, Problem
from simulator.results.columns import codes
from simulator.results.folder import TABLES, read_summary, replications
from simulator.results.record import STATES

BATCH = 65_536
FEW = 4_096  # of requests whose tokens are written one by one: hundreds each

ALL_TIME = (-math.inf, math.inf)

Told = Callable[[int, int], None]
"""told(rows done, rows in all)."""


@dataclass(frozen=True, slots=True)
class Source:
    """folder: where the run is; scenario: its document, every default filled in; replicas: their names, by
    number; replication: the one that is exported; rows: of it in each table that there is; window: from when
    until when, for formats that can leave out the rest."""

    folder: Path
    summary: dict[str, Any]
    scenario: dict[str, Any]
    replicas: tuple[str, ...]
    replication: int
    rows: dict[str, int]
    window: tuple[float, float] = ALL_TIME

    def names(self, table: str) -> list[str]:
        """The columns of a table."""
        return list(self.schema(table).names)

    def schema(self, table: str) -> pa.Schema:
        return pq.read_schema(self._file(table))

    def batches(self, table: str, names: Sequence[str], size: int = BATCH) -> Iterator[pa.RecordBatch]:
        """The replication's rows, in their order, `size` at most at a time."""
        wanted = list(dict.fromkeys(["replication", *names]))
        with pq.ParquetFile(self._file(table)) as file:
            for batch in file.iter_batches(size, columns=wanted):
                own = batch.filter(pc.equal(batch.column("replication"), self.replication))
                if len(own):
                    yield own.select(list(names))

    def column(self, table: str, name: str) -> NDArray[Any]:
        """A numeric column [rows]; nulls are NaN."""
        return arrow.values(self._whole(table, name))

    def replica(self, table: str, name: str = "replica") -> NDArray[np.int64]:
        """Numbers of replicas [rows], −1 for none."""
        return codes(self._whole(table, name), self.replicas)

    def state(self) -> NDArray[np.int64]:
        """How each request ended [rows], as in results.record."""
        return codes(self._whole("requests", "state"), STATES)

    def _whole(self, table: str, name: str) -> pa.ChunkedArray:
        read = pq.read_table(self._file(table), columns=["replication", name])
        if len(read) == self.rows[table]:
            return read[name]
        return read.filter(pc.equal(read["replication"], self.replication))[name]

    def _file(self, table: str) -> Path:
        return self.folder / f"{table}.parquet"


def open_run(path: Path, replication: int = 0, window: tuple[float, float] = ALL_TIME) -> Source:
    """Raises InputError if there is no run folder, one of another schema, or no such replication."""
    summary = read_summary(path)
    known = replications(summary, replication)
    tables = [name for name in TABLES if path.joinpath(f"{name}.parquet").is_file()]
    missing = [f"{name}.parquet" for name in TABLES[:2] if name not in tables]
    if missing:
        raise InputError(Problem(str(path), f"lacks {' and '.join(missing)}", "a whole run folder"))
    rows = {name: _rows(path / f"{name}.parquet", replication, known) for name in tables}
    replicas = tuple(replica["name"] for replica in summary["replicas"])
    source = Source(path, summary, _scenario(path), replicas, replication, rows, window)
    if window[0] > 0 and window[0] >= (end := _end_s(source)):
        raise InputError(Problem("--from", f"is after all that happens: the run ends at {end:.4g} s"))
    return source


def _end_s(source: Source) -> float:
    """When the timeline ends."""
    start, width = (source.column("timeline", name) for name in ("start_s", "width_s"))
    return float((start + width).max(initial=0.0))


def _scenario(path: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML

    text = path.joinpath("scenario.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return document


def _rows(file: Path, replication: int, replications: int) -> int:
    if replications == 1:
        return int(pq.read_metadata(file).num_rows)
    column = arrow.values(pq.read_table(file, columns=["replication"])["replication"])
    return int(np.count_nonzero(column == replication))
