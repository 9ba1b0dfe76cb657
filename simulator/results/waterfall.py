"""Where a request's latency went, and how it compares with the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from simulator import arrow
from simulator.errors import InputError, Problem
from simulator.results.columns import codes
from simulator.results.parts import PARTS, WATERFALL

RANKED = ("e2e_s", "ttft_s", "tpot_s", *PARTS, *WATERFALL[1:])
MEANWHILE = ("running", "waiting", "kv_use", "step_s")


@dataclass(frozen=True, slots=True)
class Explanation:
    """request: its row of requests.parquet; slower_than: the share of finished requests with a smaller
    value, by column; meanwhile: time averages of its replica while it was there; finished: how many it is
    ranked among.
    """

    request: dict[str, Any]
    slower_than: dict[str, float]
    meanwhile: dict[str, float]
    finished: int


def explain(requests: pa.Table, timeline: pa.Table, number: int, replication: int = 0) -> Explanation:
    """Raises InputError for a request or replication that is not there."""
    import pyarrow.compute as pc  # brings pandas: not in the way of `sim run`, whose report says what went on

    own = _replication(requests, replication)
    if not 0 <= number < len(own):
        raise InputError(Problem("--request", f"no request {number}", f"0 to {len(own) - 1}"))
    row: dict[str, Any] = own.slice(number, 1).to_pylist()[0]
    finished = own.filter(pc.equal(own["state"].cast(pa.string()), "finished"))
    ranks = {name: _below(finished[name], row[name]) for name in RANKED if row[name] is not None}
    return Explanation(row, ranks, meanwhile(timeline, row), len(finished))


def _replication(requests: pa.Table, number: int) -> pa.Table:
    import pyarrow.compute as pc

    table = requests.filter(pc.equal(requests["replication"], number))
    if not len(table):
        last = pc.max(requests["replication"]).as_py() if len(requests) else -1
        raise InputError(Problem("--replication", f"no replication {number}", f"0 to {last}"))
    return table


def _below(column: pa.ChunkedArray, value: float) -> float:
    known = arrow.values(column.drop_null())
    return float((known < value).mean()) if len(known) else 0.0


def meanwhile(timeline: pa.Table, row: dict[str, Any]) -> dict[str, float]:
    """Averages of the replica's bins that the request's time touches, by how much of each; empty without
    a replica.
    """
    if row["replica"] is None or row["finish_s"] is None:
        return {}
    names = timeline["replica"].combine_chunks().dictionary.to_pylist()
    same = codes(timeline["replica"], names) == names.index(row["replica"])
    where = np.flatnonzero(same & (arrow.values(timeline["replication"]) == row["replication"]))
    # One replica's bins of one replication lie together.
    bins = timeline.slice(where[0], len(where))
    start, width = (arrow.values(bins[name]) for name in ("start_s", "width_s"))
    inside = np.minimum(start + width, row["finish_s"]) - np.maximum(start, row["sent_s"])
    weight = np.maximum(inside, 0.0)
    found = {}
    for name in MEANWHILE:
        values = arrow.values(bins[name])
        weights = np.where(np.isnan(values), 0.0, weight)
        if weights.sum() > 0:
            found[name] = float((np.nan_to_num(values) * weights).sum() / weights.sum())
    return found
