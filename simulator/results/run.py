"""A finished run as tables: requests, timeline, steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simulator.arrow import column as arrow_column
from simulator.arrow import nullable
from simulator.arrow import values as arrow_values
from simulator.results.check import check
from simulator.results.columns import labels
from simulator.results.gaps import Extra, Floats, Ints, Runs
from simulator.results.limits import PoolLimits
from simulator.results.record import FINISHED, STATES, UNFINISHED, UNSEEN, Recorder
from simulator.results.steps import step_table
from simulator.results.timeline import ReplicaFacts, occupancy
from simulator.scenario.resolved import Resolved


class Gaps(NamedTuple):
    """What inter-token gaps come from: runs of steps, and gaps that are no step's."""

    runs: Runs
    extra: Extra | None


@dataclass(frozen=True, slots=True)
class RunResult:
    """What came out of one run or of several replications of it, told apart by the column `replication`.

    requests: a row a request, in order of arrival; timeline: a row per replica and time bin; steps: a row a
    step, if kept; density: where steps lie under the roof, a row a cell, None when it was loaded without.
    counters: whole numbers by name. checks: the figures of the laws that were asserted; gaps: what
    inter-token gaps come from, None when the run was loaded from a folder; limits: of each pool; all three
    one per replication. complete: False when interrupted.
    """

    scenario: Resolved
    requests: pa.Table
    timeline: pa.Table
    steps: pa.Table | None
    counters: dict[str, int]
    provenance: dict[str, Any]
    complete: bool
    replicas: tuple[ReplicaFacts, ...]
    checks: tuple[dict[str, Any], ...]
    gaps: tuple[Gaps, ...] | None = None
    limits: tuple[dict[str, PoolLimits], ...] = ()
    density: pa.Table | None = None

    @property
    def replications(self) -> int:
        """How many: 1 of a lone one, whichever it is."""
        numbers = self.requests["replication"]
        return int(numbers[-1].as_py() - numbers[0].as_py()) + 1 if len(numbers) else 1

    @property
    def simulated_s(self) -> float:
        """Simulated seconds of all replications, each to the end of its timeline."""
        number = arrow_values(self.timeline["replication"])
        end = arrow_values(self.timeline["start_s"]) + arrow_values(self.timeline["width_s"])
        return float(sum(end[number == one].max() for one in np.unique(number)))


def assemble(
    scenario: Resolved,
    workload: pa.Table,
    recorder: Recorder,
    *,
    replication: int = 0,
    counters: dict[str, int] | None = None,
    provenance: dict[str, Any] | None = None,
    complete: bool = True,
    limits: dict[str, PoolLimits] | None = None,
) -> RunResult:
    """The result of one replication. workload: the workload's own table, a row a request, its columns kept.

    Raises AssertionError if a request of a complete run has not come to exactly one end, or a law of check.py
    is broken.
    """
    state = recorder.columns()["state"]
    unseen = state == UNSEEN
    assert recorder.recorded + unseen.sum() == len(workload), (
        f"{recorder.recorded} ends of {len(workload)} requests"
    )
    stopped = not complete or scenario.run.duration_s is not None
    assert stopped or not unseen.any(), f"no end of {unseen.sum()} requests, the first is {unseen.argmax()}"
    state[unseen] = UNFINISHED
    requests = _requests(workload, recorder, replication)
    timeline = _timeline(recorder, run_end(recorder), replication)
    return RunResult(
        scenario=scenario,
        requests=requests,
        timeline=timeline,
        steps=step_table(recorder.step_rows(), recorder.replicas, replication),
        counters=dict(counters or {}),
        provenance=dict(provenance or {}),
        complete=complete,
        replicas=recorder.replicas,
        checks=(check(requests, timeline),),
        gaps=(Gaps(recorder.runs(), recorder.extra_gaps()),),
        limits=(limits,) if limits else (),
        density=recorder.density.table(replication),
    )


def merge(results: Sequence[RunResult]) -> RunResult:
    """Replications 0, 1, … of one scenario as one result; counters add up, the rest is the first one's."""
    steps = [result.steps for result in results if result.steps is not None]
    densities = [result.density for result in results if result.density is not None]
    counters: dict[str, int] = {}
    for result in results:
        for name, value in result.counters.items():
            counters[name] = counters.get(name, 0) + value
    return replace(
        results[0],
        requests=pa.concat_tables([result.requests for result in results]),
        timeline=pa.concat_tables([result.timeline for result in results]),
        steps=pa.concat_tables(steps) if steps else None,
        density=pa.concat_tables(densities) if densities else None,
        counters=counters,
        complete=all(result.complete for result in results),
        checks=tuple(figures for result in results for figures in result.checks),
        gaps=tuple(gap for result in results for gap in result.gaps or ()),
        limits=tuple(found for result in results for found in result.limits),
    )


HAPPENED = (
    "first_scheduled_s",
    "prefill_end_s",
    "load_start_s",
    "load_end_s",
    "decode_start_s",
    "first_token_s",
    "finish_s",
)


def run_end(recorder: Recorder) -> float:
    """The last instant of the run: the last that happened to a request, or the end of the last step."""
    columns = recorder.columns()
    ends = (columns["finish_s"], columns["first_token_s"], columns["first_scheduled_s"])
    known = [float(np.nanmax(times)) for times in ends if not np.all(np.isnan(times))]
    return max([recorder.bins().end * 2.0**-28, *known])


def _requests(workload: pa.Table, recorder: Recorder, replication: int) -> pa.Table:
    columns, n = recorder.columns(), len(workload)
    times = _times(columns, recorder.sent_s)
    output = arrow_values(workload["output_tokens"])
    replicas = [replica.name for replica in recorder.replicas]
    added = {
        "sent_s": nullable(recorder.sent_s),
        "state": labels(columns["state"], STATES),
        "replica": labels(columns["replica"], replicas),
        "prefill_replica": labels(columns["prefill_replica"], replicas),
        **{name: nullable(columns[name]) for name in HAPPENED},
        **{name: nullable(column) for name, column in times.items()},
        "tpot_s": nullable(_tpot(columns, output)),
        **{name: arrow_column(columns[name]) for name in ("emitted", "hit_tokens", "preemptions")},
    }
    table = workload.replace_schema_metadata(None)
    table = table.add_column(0, "replication", arrow_column(np.full(n, replication, np.int16)))
    table = table.add_column(1, "request", arrow_column(np.arange(n, dtype=np.int32)))
    for name, column in added.items():
        table = table.append_column(name, column)
    return table


def _times(columns: dict[str, NDArray[Any]], sent: Floats) -> dict[str, Floats]:
    """Latencies and their parts, which sum to e2e_s exactly: queue, prefill, transfer, decode; and those
    of each.

    A request that ends early ends the part it is in; later ones are zero.
    """
    finish, token = columns["finish_s"], columns["first_token_s"]
    handed = ~np.isnan(columns["prefill_end_s"])
    scheduled = _else(columns["first_scheduled_s"], finish)
    prefilled = _else(np.where(handed, columns["prefill_end_s"], token), finish)
    loading = _else(columns["load_start_s"], np.where(handed, finish, prefilled))
    loading = np.maximum(loading, prefilled)  # what travels while the prompt is computed costs no time
    loaded = _else(columns["load_end_s"], np.where(handed, finish, prefilled))
    decoding = _else(columns["decode_start_s"], np.where(handed, finish, prefilled))
    prefill, decode = prefilled - scheduled, finish - decoding
    own = np.minimum(columns["prefill_own_s"], prefill)
    return {
        "queue_s": scheduled - sent,
        "prefill_s": prefill,
        "transfer_s": decoding - prefilled,
        "decode_s": decode,
        "e2e_s": finish - sent,
        "ttft_s": token - sent,
        "prefill_own_s": own,
        "prefill_shared_s": prefill - own,
        "transfer_wait_s": (loading - prefilled) + (decoding - loaded),
        "transfer_move_s": loaded - loading,
        "decode_own_s": decode - columns["stretched_s"] - columns["preempted_s"],
        "decode_stretched_s": columns["stretched_s"] + 0.0 * decode,
        "preempted_s": columns["preempted_s"] + 0.0 * decode,
    }


def _else(times: Floats, otherwise: Floats) -> Floats:
    return np.where(np.isnan(times), otherwise, times)


def _tpot(columns: dict[str, NDArray[Any]], output: Ints) -> Floats:
    counted = (columns["state"] == FINISHED) & (output > 1)
    span = columns["finish_s"] - columns["first_token_s"]
    return np.where(counted, span / np.maximum(output - 1, 1), np.nan)


def _timeline(recorder: Recorder, end: float, replication: int) -> pa.Table:
    columns = recorder.bins().columns(recorder.replicas, end)
    bins = len(columns["start_s"]) // len(recorder.replicas)
    edges = (len(recorder.replicas), columns["start_s"][:bins], columns["width_s"][:bins])
    rows, sent = recorder.columns(), recorder.sent_s
    over = np.where(np.isnan(rows["finish_s"]), end, rows["finish_s"])
    first = np.where(rows["prefill_replica"] < 0, rows["replica"], rows["prefill_replica"])
    scheduled = _else(rows["first_scheduled_s"], over)
    left = np.where(rows["prefill_replica"] < 0, over, _else(rows["prefill_end_s"], over))
    taken = np.where(rows["prefill_replica"] < 0, over, _else(rows["decode_start_s"], over))
    running = occupancy(scheduled, left, first, edges) + occupancy(taken, over, rows["replica"], edges)
    waiting = occupancy(sent, scheduled, first, edges) + occupancy(left, taken, rows["replica"], edges)
    replica = columns.pop("replica")
    table = {
        "replication": arrow_column(np.full(len(replica), replication, np.int16)),
        "replica": labels(replica, [facts.name for facts in recorder.replicas]),
        "pool": labels(replica, [facts.pool for facts in recorder.replicas]),
        "start_s": arrow_column(columns.pop("start_s")),
        "width_s": arrow_column(columns.pop("width_s")),
        "running": arrow_column(running),
        "waiting": arrow_column(waiting),
    }
    return pa.table(table | {name: nullable(column) for name, column in columns.items()})
