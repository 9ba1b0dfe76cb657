"""The part of a run that metrics are computed from: requests, their token gaps, the work meanwhile."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator import arrow
from simulator.results.columns import codes
from simulator.results.gaps import Weighted, inter_token
from simulator.results.record import FINISHED, STATES, UNFINISHED
from simulator.results.run import Gaps, RunResult
from simulator.scenario.resolved import Resolved, SloSpec

Floats = NDArray[np.floating[Any]]

_TIMES = ("sent_s", "finish_s", "queue_s", "prefill_s", "decode_s", "e2e_s", "ttft_s", "tpot_s")
_COUNTS = ("prompt_tokens", "output_tokens", "emitted", "hit_tokens", "preemptions")
_RATES = ("busy", "kv_use", "running", "waiting")
_SUMS = ("steps", "prefill_tokens", "decode_tokens", "flops", "bytes")
_SHARES = ("prefill_share", "decode_share", "mixed_share")


@dataclass(frozen=True, slots=True)
class Hardware:
    """Of the replicas looked at: how many, their accelerators, $/s and W at TDP, FLOP/s and bytes/s."""

    replicas: int
    accelerators: int
    usd_per_s: float
    watts: float
    flops_per_s: float
    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class Sample:
    """requests: columns of those that arrived in the window; finished, counted: which of them came to their
    last token, and which came to any end; done: columns of those that throughput counts.

    gaps: inter-token gaps, None where no longer known; work: replica-seconds by kind, and totals of steps,
    tokens, FLOPs and bytes.
    """

    duration_s: float
    requests: dict[str, Floats]
    finished: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    done: dict[str, Floats]
    gaps: Weighted | None
    work: dict[str, float]
    hardware: Hardware
    slo: SloSpec | None

    def of_finished(self, name: str) -> Floats:
        """A column of the finished requests, without what never happened."""
        values = self.requests[name][self.finished]
        return values[~np.isnan(values)]


@dataclass(frozen=True, slots=True)
class View:
    """One replication as numpy columns: requests by the time they were sent, bins [replicas, bins]."""

    scenario: Resolved
    requests: dict[str, Floats]
    state: NDArray[np.int64]
    start_s: Floats
    width_s: Floats
    bins: dict[str, Floats]
    pools: tuple[str, ...]
    hardware: dict[str, Hardware]
    gaps: Gaps | None

    def sample(
        self, begin: float, end: float = math.inf, pool: str | None = None, gaps: Weighted | None = None
    ) -> Sample:
        """What was sent from `begin` on and before `end`; gaps: the token gaps of that time, if of interest.

        An open end takes the throughput of those requests until the last of them is done; a closed one
        counts the requests that were done in the window.
        """
        sent, finish = self.requests["sent_s"], self.requests["finish_s"]
        first, last = np.searchsorted(sent, [begin, end])
        chosen = {name: column[first:last] for name, column in self.requests.items()}
        state = self.state[first:last]
        finished = state == FINISHED
        if math.isinf(end):
            until = finish[first:last][finished]
            duration = float(until.max() - sent[first]) if len(until) else math.nan
            done = {name: chosen[name][finished] for name in _COUNTS}
        else:
            duration = end - begin
            rows = np.flatnonzero((finish >= begin) & (finish < end) & (self.state == FINISHED))
            done = {name: self.requests[name][rows] for name in _COUNTS}
        slo = self.scenario.slo
        work = self._work(begin, end, pool)
        return Sample(
            duration, chosen, finished, state != UNFINISHED, done, gaps, work, self.hardware[pool or ""], slo
        )

    def token_gaps(self, begin: float, end: float = math.inf) -> Weighted | None:
        """Gaps that end with steps that start in the window."""
        if self.gaps is None:
            return None
        runs, extra = self.gaps
        if begin <= 0 and math.isinf(end):
            return inter_token(runs, extra)
        inside = runs.take((runs.start_s >= begin) & (runs.start_s < end))
        return inter_token(inside, None if extra is None else extra.within(begin, end))

    def _work(self, begin: float, end: float, pool: str | None) -> dict[str, float]:
        rows = np.array([pool is None or name == pool for name in self.pools])
        columns = slice(*np.searchsorted(self.start_s, [begin, end]))
        width = self.width_s[columns]
        cut = {name: values[rows, columns] for name, values in self.bins.items()}
        total = {name: float((cut[name] * width).sum()) for name in _RATES}
        total |= {name: float(cut[name].sum()) for name in _SUMS}
        total |= {name: float((np.nan_to_num(cut[name]) * cut["busy"] * width).sum()) for name in _SHARES}
        peak = float(np.nan_to_num(cut["kv_use"]).max(initial=0.0))
        return total | {"elapsed": float(width.sum()), "kv_peak": peak}


def views(run: RunResult) -> Iterator[View]:
    """One View per replication."""
    many = run.replications > 1
    for number in range(run.replications):
        yield _view(run, number, many)


def lone(run: RunResult) -> View:
    """Of a result that is one replication, whichever it is."""
    return _view(run, 0, False)


def _view(run: RunResult, number: int, many: bool) -> View:
    requests, timeline = (_only(table, number) if many else table for table in (run.requests, run.timeline))
    columns = {name: arrow.values(requests[name]) for name in _TIMES + _COUNTS}
    columns["state"] = codes(requests["state"], STATES)
    end = float(timeline["start_s"][-1].as_py() + timeline["width_s"][-1].as_py())
    columns = _in_order(columns, end)
    state = columns.pop("state")
    replicas = len(run.replicas)
    bins: dict[str, NDArray[np.floating[Any]]] = {
        name: arrow.values(timeline[name]).reshape(replicas, -1).astype(np.float64)
        for name in _RATES + _SUMS + _SHARES
    }
    count = next(iter(bins.values())).shape[1]
    pools = tuple(facts.pool for facts in run.replicas)
    return View(
        scenario=run.scenario,
        requests=columns,
        state=state,
        start_s=arrow.values(timeline["start_s"])[:count],
        width_s=arrow.values(timeline["width_s"])[:count],
        bins=bins,
        pools=pools,
        hardware={pool: hardware(run, pool or None) for pool in ("", *dict.fromkeys(pools))},
        gaps=run.gaps[number] if run.gaps else None,
    )


def _in_order(columns: dict[str, NDArray[Any]], end: float) -> dict[str, NDArray[Any]]:
    """By the time they were sent; those that the end of the run forestalled are left out."""
    sent = columns["sent_s"]
    if np.all(sent[1:] >= sent[:-1]) and np.all(sent <= end):
        return columns
    order = np.argsort(sent, kind="stable")
    order = order[sent[order] <= end]
    return {name: column[order] for name, column in columns.items()}


def _only(table: Any, number: int) -> Any:
    column = arrow.values(table["replication"])
    first, last = np.searchsorted(column, [number, number + 1])
    return table.slice(first, last - first)


def hardware(run: RunResult, pool: str | None = None) -> Hardware:
    """The replicas of a pool, or of all."""
    facts = [replica for replica in run.replicas if pool is None or replica.pool == pool]
    kinds = {spec.name: spec.accelerator for spec in run.scenario.fleet.pools}
    price = run.scenario.run.price
    usd = sum(
        replica.accelerators * price.get(kind.name, kind.price_usd_per_hour)
        for replica in facts
        for kind in [kinds[replica.pool]]
    )
    return Hardware(
        replicas=len(facts),
        accelerators=sum(replica.accelerators for replica in facts),
        usd_per_s=usd / 3600,
        watts=sum(replica.accelerators * kinds[replica.pool].tdp_w for replica in facts),
        flops_per_s=sum(replica.flops_per_s for replica in facts),
        bytes_per_s=sum(replica.bytes_per_s for replica in facts),
    )
