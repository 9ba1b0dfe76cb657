"""What a run's report is made from: the run in memory or its folder, and the slices of time that it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simulator import arrow
from simulator.errors import InputError, Problem
from simulator.report.charts import GREY, Band
from simulator.results.columns import Columns, codes
from simulator.results.gaps import Floats, Ints
from simulator.results.record import FINISHED, STATES
from simulator.results.run import RunResult

BLOCK = 1_000  # requests that are looked at together
SLICES = 120  # of time, at most: a third of the pixels of a phone's chart
UNITS = ((7200.0, 3600.0, "h"), (600.0, 60.0, "min"), (0.0, 1.0, "s"))


@dataclass(frozen=True, slots=True)
class Source:
    """summary: as summary.json has it; names, requests: columns of the requests that hold one value each, by
    name; timeline, density: tables, the latter None if the run was kept without."""

    summary: dict[str, Any]
    names: tuple[str, ...]
    requests: Columns
    timeline: pa.Table
    density: pa.Table | None

    def column(self, name: str) -> NDArray[Any]:
        """A numeric column of the requests."""
        return arrow.values(self.requests[name])

    def replication(self, number: int) -> Columns:
        """Its rows of the requests."""
        first, last = np.searchsorted(self.column("replication"), [number, number + 1])
        return Rows(self.requests, int(first), int(last - first))

    def thinned(self, most: int) -> tuple[pa.Table, int]:
        """Blocks of the first replication's requests, evenly apart, `most` in all; of how many blocks one."""
        first = self.replication(0)
        count = len(first["request"])
        every = -(-count // most)
        starts = range(0, count, BLOCK * every)
        columns = {name: _blocks(first[name], starts) for name in self.names}
        return pa.table(columns), every

    def finished(self) -> NDArray[np.bool_]:
        return np.asarray(codes(self.requests["state"], STATES) == FINISHED)

    def replicas(self) -> list[str]:
        return [one["name"] for one in self.summary["replicas"]]

    @property
    def cut_s(self) -> float:
        """Where the warm-up ends."""
        return float(self.summary["warmup"]["cut_s"])


class Kept:
    """The columns of a parquet file, read one at a time: a million requests need not fit in memory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        import pyarrow.parquet as pq

        return pq.read_table(self._path, columns=[name])[name]


def _blocks(column: pa.ChunkedArray, starts: range) -> pa.ChunkedArray:
    """Copied, so that what is left out does not stay in memory."""
    some = [chunk for start in starts for chunk in column.slice(start, BLOCK).chunks]
    return pa.chunked_array([pa.concat_arrays(some)]) if len(starts) > 1 else column.slice(0, BLOCK)


def _flat(schema: pa.Schema) -> tuple[str, ...]:
    return tuple(field.name for field in schema if not pa.types.is_nested(field.type))


class Rows:
    """Rows of columns that lie together."""

    def __init__(self, columns: Columns, first: int, count: int) -> None:
        self._columns, self._first, self._count = columns, first, count

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        return self._columns[name].slice(self._first, self._count)


def of_run(run: RunResult, summary: dict[str, Any]) -> Source:
    return Source(summary, _flat(run.requests.schema), run.requests, run.timeline, run.density)


def of_folder(path: Path) -> Source:
    """Raises InputError if there is no run at `path`."""

    import pyarrow.parquet as pq

    from simulator.results.folder import read_summary, read_table

    summary = read_summary(path)
    timeline, requests = read_table(path, "timeline"), path / "requests.parquet"
    if not requests.is_file():
        raise InputError(Problem(str(path), "lacks requests.parquet", "a whole run folder"))
    density = read_table(path, "density", needed=False)
    return Source(summary, _flat(pq.read_schema(requests)), Kept(requests), timeline, density)


@dataclass(frozen=True, slots=True)
class Course:
    """The first replication in slices of time. edges [slices + 1], seconds; bins [replicas, bins] by column
    of the timeline; weight [bins]: how wide each is; first [slices]: the first bin of each slice.
    """

    edges: Floats
    weight: Floats
    first: Ints
    bins: dict[str, Floats]
    unit_s: float
    unit: str

    def total(self, name: str) -> Floats:
        """Sums over the bins of each slice: [replicas, slices]."""
        return np.asarray(np.add.reduceat(np.nan_to_num(self.bins[name]), self.first, axis=1))

    def mean(self, name: str) -> Floats:
        """Time averages in each slice: [replicas, slices]."""
        spent = np.add.reduceat(np.nan_to_num(self.bins[name]) * self.weight, self.first, axis=1)
        return np.asarray(spent / self.width())

    def share(self, name: str) -> Floats:
        """Of all time, the share in a kind of step, which the timeline gives of busy time: as above."""
        spent = np.nan_to_num(self.bins[name]) * np.nan_to_num(self.bins["busy"]) * self.weight
        return np.asarray(np.add.reduceat(spent, self.first, axis=1) / self.width())

    def width(self) -> Floats:
        """Seconds of each slice."""
        return np.diff(self.edges)

    def shown(self, seconds: Floats | Sequence[float]) -> list[float]:
        """In the unit of the time axis."""
        found: list[float] = (np.asarray(seconds) / self.unit_s).tolist()
        return found

    def middles(self) -> list[float]:
        return self.shown((self.edges[1:] + self.edges[:-1]) / 2)

    def counted(self, times: Floats) -> Floats:
        """How many of the times lie in each slice."""
        return np.histogram(times[~np.isnan(times)], self.edges)[0].astype(np.float64)


SHOWN = ("running", "waiting", "kv_use", "busy", "prefill_share", "mixed_share", "decode_share")
SUMMED = ("prefill_tokens", "decode_tokens")


def course(source: Source) -> Course:
    """Of the first replication; at most SLICES slices, each of as many bins."""
    replicas = len(source.summary["replicas"])
    rows = int(np.searchsorted(arrow.values(source.timeline["replication"]), 1))
    table = source.timeline.slice(0, rows)
    bins: dict[str, Floats] = {
        name: arrow.values(table[name]).reshape(replicas, -1).astype(np.float64) for name in SHOWN + SUMMED
    }
    start, width = (arrow.values(table[name])[: rows // replicas] for name in ("start_s", "width_s"))
    first = np.arange(0, len(start), -(-len(start) // SLICES))
    edges = np.append(start[first], start[-1] + width[-1])
    unit_s, unit = next((size, name) for least, size, name in UNITS if edges[-1] >= least)
    return Course(edges, width, first, bins, unit_s, unit)


def warm_up(source: Source, course: Course) -> tuple[Band, ...]:
    """The part of the time axis that no figure counts."""
    return (Band("warm-up, left out", 0.0, source.cut_s / course.unit_s, GREY),) if source.cut_s else ()
