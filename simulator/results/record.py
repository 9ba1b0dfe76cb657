"""The recorder: plain tuples from the engine become columns, 65,536 rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.results.density import Density
from simulator.results.gaps import Extra, Floats, Ints, Runs, concatenate, end_s
from simulator.results.timeline import Bins, Busy, ReplicaFacts
from simulator.results.totals import Totals
from simulator.units import GRID_S

FLUSH_ROWS = 65_536

PACE = ("pace_decodes", "pace_context")
_WHOLE = ("replica", "steps", "decodes", "context_sum", "prefill_tokens", "chunks", *PACE)

STATES = ("finished", "refused", "timed_out", "failed", "cancelled", "unfinished")
FINISHED, REFUSED, TIMED_OUT, FAILED, CANCELLED, UNFINISHED = range(6)
UNSEEN = -1


class RequestRow(NamedTuple):
    """What the engine says of a request at its end. Seconds, NaN: it never happened; replica −1: none.

    prefill_replica computed the prompt, if another did; then prefill_end_s: it handed over; load_start_s,
    load_end_s: its KV travelled; decode_start_s: the decode side's first step for it. prefill_own_s: of the
    prefill's time, its own share of the steps; stretched_s: of the decode's time, what others' prefill chunks
    added; preempted_s: from the last token before a preemption to the next one.
    """

    row: int
    state: int
    replica: int
    prefill_replica: int
    first_scheduled_s: float
    prefill_end_s: float
    load_start_s: float
    load_end_s: float
    decode_start_s: float
    first_token_s: float
    finish_s: float
    emitted: int
    hit_tokens: int
    preemptions: int
    prefill_own_s: float
    stretched_s: float
    preempted_s: float


class StepRow(NamedTuple):
    """A mixed step, or a run of decode-only steps of one batch; flops and bytes are the whole run's."""

    replica: int
    start_s: float
    steps: int
    decodes: int
    context_sum: int
    prefill_tokens: int
    prefill_pairs: int
    chunks: int
    samples: int
    base_s: float
    per_token_s: float
    used_blocks_start: int
    used_blocks_end: int
    flops: float
    bytes: float
    admitted: int
    preempted: int


class StageRow(NamedTuple):
    """One stage of a pipeline while it has one step: decodes, chunks and used_blocks of the step, flops and
    bytes of the stage. since_s: from when on the step was the one that the pipeline's end waited for, on the
    last stage; end_s on the others: KV blocks count once.
    """

    replica: int
    start_s: float
    end_s: float
    decodes: int
    chunks: int
    flops: float
    bytes: float
    used_blocks: int
    since_s: float


class Recorder:
    """Collects what happens: the engine appends to lists of rows, and flushes them at FLUSH_ROWS.

    requests: tuples as RequestRow, one per request; step_runs: tuples as StepRow; gaps: (gap_s, weight, start
    of the run of steps that it belongs to) of inter-token gaps that are no single step's; stage_runs: tuples
    as StageRow, of replicas with several stages, whose steps overlap. sent_s: f64[n], when each request was
    really sent. totals, density: of the steps flushed so far.
    """

    __slots__ = (
        "_bins",
        "_columns",
        "_gaps",
        "_kept",
        "_paces",
        "_runs",
        "density",
        "gaps",
        "keep_steps",
        "recorded",
        "replicas",
        "requests",
        "sent_s",
        "stage_runs",
        "step_runs",
        "totals",
    )

    def __init__(
        self,
        n_requests: int,
        replicas: Sequence[ReplicaFacts],
        keep_steps: bool = False,
        bin_s: float | None = None,
    ) -> None:
        self.replicas = tuple(replicas)
        self.keep_steps = keep_steps
        self.requests: list[tuple[int | float, ...]] = []
        self.step_runs: list[tuple[int | float, ...]] = []
        self.stage_runs: list[tuple[int | float, ...]] = []
        self.gaps: list[tuple[float, int, float]] = []
        self.sent_s: NDArray[np.float64] = np.full(n_requests, np.nan)
        self.recorded = 0
        self._columns = _empty_columns(n_requests)
        self._bins = Bins(len(self.replicas), bin_s, [replica.stages > 1 for replica in self.replicas])
        self.totals = Totals(self.replicas)
        self.density = Density(self.replicas)
        self._runs: list[Runs] = []
        self._kept: list[NDArray[np.float64]] = []
        self._paces: list[tuple[int, int, int]] = []
        self._gaps: list[Extra] = []

    def paced(self, decodes: int, context_sum: int) -> None:
        """The next step row is a run whose line is in another batch's terms: of a rank that keeps step."""
        self._paces.append((len(self.step_runs), decodes, context_sum))

    def flush_requests(self) -> None:
        """Turn the request rows so far into columns."""
        if not self.requests:
            return
        rows = _table(self.requests)
        self.requests.clear()
        where = rows[0].astype(np.int64)
        for name, values in zip(RequestRow._fields[1:], rows[1:], strict=True):
            self._columns[name][where] = values
        self.recorded += len(where)

    def flush_steps(self) -> None:
        """Turn the step rows and gaps so far into runs and time bins."""
        if self.gaps:
            seconds, weights, starts = _table(self.gaps)
            units = np.rint(seconds / GRID_S).astype(np.int64)
            self._gaps.append(Extra(units, weights.astype(np.int64), starts))
            self.gaps.clear()
        if self.step_runs:
            rows = _table(self.step_runs)
            self.step_runs.clear()
            self._add(rows, self._take_paces(rows))

    def _take_paces(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """[2, rows] of PACE."""
        own = rows[[StepRow._fields.index(name) for name in ("decodes", "context_sum")]]
        if self._paces:
            where, decodes, context = _table(self._paces)
            own[:, where.astype(np.int64)] = decodes, context
            self._paces.clear()
        return own

    def _add(self, rows: NDArray[np.float64], paces: NDArray[np.float64]) -> None:
        step = dict(zip((*StepRow._fields, *PACE), (*rows, *paces), strict=True))
        whole = {name: step[name].astype(np.int64) for name in _WHOLE}
        runs = Runs._make(whole.get(name, step[name]) for name in Runs._fields)
        busy = Busy._make(whole.get(name, step[name]) for name in Busy._fields)
        self._bins.add(runs, busy)
        units = np.rint((end_s(runs, runs.steps) - runs.start_s) / GRID_S)
        if self.stage_runs:
            self._add_stages(busy.replica, units)
        self.totals.add(step, units)
        self.density.add(step, units)
        # Between two tokens of a pipeline lie other batches: its gaps are told apart, as `gaps`.
        self._runs.append(runs.take((runs.decodes > 0) & ~self._bins.staged[busy.replica]))
        if self.keep_steps:
            self._kept.append(np.concatenate([rows, paces]))

    def _add_stages(self, replica: Ints, units: Floats) -> None:
        """Of the steps whose rows come now: their stages. units [steps]: of a pipeline's step it becomes the
        time in which all stages together could have done it.
        """
        rows = _table(self.stage_runs)
        self.stage_runs.clear()
        self._bins.add_stages(rows)
        staged = self._bins.staged[replica]
        stages = np.array([facts.stages for facts in self.replicas])[replica[staged]]
        first = np.cumsum(stages) - stages
        units[staged] = np.rint(np.add.reduceat((rows[2] - rows[1]) / GRID_S, first) / stages)

    def columns(self) -> dict[str, NDArray[Any]]:
        """The request columns, by workload row; state is UNSEEN where the engine said nothing."""
        self.flush_requests()
        return self._columns

    def bins(self) -> Bins:
        self.flush_steps()
        return self._bins

    def runs(self) -> Runs:
        """All runs with decodes in them: what inter-token latencies are counted from."""
        self.flush_steps()
        if len(self._runs) > 1:
            self._runs = [concatenate(self._runs)]
        return concatenate(self._runs)

    def extra_gaps(self) -> Extra | None:
        """The gaps that are no single step's."""
        self.flush_steps()
        if not self._gaps:
            return None
        return Extra(*(np.concatenate(columns) for columns in zip(*self._gaps, strict=True)))

    def step_rows(self) -> NDArray[np.float64] | None:
        """[19, runs]: the step rows as columns, then PACE, by replica and start; None unless keep_steps."""
        self.flush_steps()
        if not self.keep_steps:
            return None
        rows = (
            np.concatenate(self._kept, axis=1)
            if self._kept
            else np.empty((len(StepRow._fields) + len(PACE), 0))
        )
        return rows[:, np.lexsort((rows[1], rows[0]))]


def _table(rows: Sequence[tuple[int | float, ...]]) -> NDArray[np.float64]:
    """[columns, rows] of rows that are there; np.array takes half as long again over cold tuples."""
    width = len(rows[0])
    flat = np.fromiter(chain.from_iterable(rows), np.float64, len(rows) * width)
    return flat.reshape(-1, width).T


def _empty_columns(n: int) -> dict[str, NDArray[Any]]:
    """A column for each field of RequestRow but the row itself, as if nothing had happened."""
    empty: dict[str, tuple[float, type[np.generic]]] = {
        "state": (UNSEEN, np.int8),
        "replica": (-1, np.int32),
        "prefill_replica": (-1, np.int32),
        **dict.fromkeys(("emitted", "hit_tokens", "preemptions"), (0, np.int32)),
        **dict.fromkeys(("prefill_own_s", "stretched_s", "preempted_s"), (0.0, np.float64)),
    }
    return {name: np.full(n, *empty.get(name, (np.nan, np.float64))) for name in RequestRow._fields[1:]}
