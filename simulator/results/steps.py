"""Step rows as a table with a row a step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from simulator.results.columns import labels
from simulator.results.gaps import Floats, Runs, expand, pieces
from simulator.results.record import PACE, StepRow
from simulator.results.timeline import ReplicaFacts

_INT32 = ("decodes", "prefill_tokens", "chunks", "samples", "admitted", "preempted")


def step_table(rows: Floats | None, replicas: Sequence[ReplicaFacts], replication: int) -> pa.Table | None:
    """[19, runs] of StepRow's columns and PACE → a row a step; None if the rows were not kept.

    In a run of decode-only steps flops and bytes are shared out by duration, and used_blocks goes in a line.
    """
    if rows is None:
        return None
    names = [replica.name for replica in replicas]
    batches = [_batch(part, names, replication) for part in _parts(rows)]
    return pa.concat_tables(batches) if batches else _batch(rows, names, replication)


def _parts(rows: Floats) -> Iterator[Floats]:
    for part in pieces(rows[StepRow._fields.index("steps")].astype(np.int64)):
        yield rows[:, part]


def _batch(rows: Floats, names: Sequence[str], replication: int) -> pa.Table:
    column = dict(zip((*StepRow._fields, *PACE), rows, strict=True))
    runs = Runs._make(
        column[name] if name.endswith("_s") else column[name].astype(np.int64) for name in Runs._fields
    )
    steps = expand(runs)
    run, number = steps.run, steps.number
    total = {name: column[name][run] for name in ("flops", "bytes")}
    span = steps.end_s - steps.start_s
    share = (
        span / _positive(np.bincount(run, weights=span, minlength=len(runs.steps)).astype(np.float64))[run]
    )
    done = number / runs.steps[run]
    blocks = column["used_blocks_start"][run] * (1 - done) + column["used_blocks_end"][run] * done
    first = number == 1
    once = {name: column[name][run] * first for name in ("admitted", "preempted")}
    whole = {name: once.get(name, column[name][run]).astype(np.int32) for name in _INT32}
    table = {
        "replication": np.full(len(run), replication, np.int16),
        "start_s": steps.start_s,
        "end_s": steps.end_s,
        "step_s": span,
        "context_sum": runs.context_sum[run] + runs.decodes[run] * (number - 1),
        **whole,
        "prefill_pairs": column["prefill_pairs"][run].astype(np.int64),
        "used_blocks": np.rint(blocks).astype(np.int32),
        **{name: value * share for name, value in total.items()},
    }
    out = pa.table(table)
    return out.add_column(1, "replica", labels(column["replica"][run].astype(np.int32), names))


def _positive(column: Floats) -> Floats:
    return np.where(column > 0, column, 1.0)
