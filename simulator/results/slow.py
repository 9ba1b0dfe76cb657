"""What the slowest requests of a run have in common, and where their time goes that the others don't need."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simulator import arrow
from simulator.errors import InputError, Problem
from simulator.results import traits
from simulator.results.columns import codes
from simulator.results.parts import WATERFALL
from simulator.results.record import FINISHED, STATES
from simulator.results.traits import Trait

Floats = NDArray[np.floating[Any]]

METRICS = {"ttft": "ttft_s", "tpot": "tpot_s", "e2e": "e2e_s", "queue": "queue_s"}
PARTS_OF = {
    "ttft": WATERFALL[:5],
    "tpot": WATERFALL[5:],
    "e2e": WATERFALL,
    "queue": ("queue_s",),
}
REST = "rest"
"""What of a metric no part of the waterfall is: after a hand-over, the decode side's first step."""
SHOWN = 5
_OWN = {"replication", "request", "arrival_s", "segment_id", "segment_tokens", "output_segment"}
_LABELS = {"session", "tenant"}


@dataclass(frozen=True, slots=True)
class Slow:
    """Of the finished requests from the cut on, those with `metric` at or over percentile p (its value in
    seconds: bound) against the others. parts: seconds that each part of the waterfall takes more of, on
    average; traits: what sets them apart, the strongest first; alike: columns that do not; slowest: their
    numbers.
    """

    metric: str
    percentile: float
    bound: float
    group: int
    others: int
    group_mean: float
    others_mean: float
    parts: dict[str, float]
    traits: list[Trait]
    alike: list[str]
    slowest: list[int]


def question(text: str) -> tuple[str, float]:
    """Metric and percentile of "ttft:p99". Raises InputError."""
    match = re.fullmatch(r"(\w+):p(\d+(?:\.\d+)?)", text)
    if match is None or match[1] not in METRICS or not 0 < float(match[2]) < 100:
        allowed = f"one of {', '.join(METRICS)}, then a percentile: ttft:p99"
        raise InputError(Problem("--percentile", f"cannot read {text!r}", allowed))
    return match[1], float(match[2])


def explain(
    requests: pa.Table, timeline: pa.Table, cut_s: float, metric: str, p: float, replication: int = 0
) -> Slow:
    """Raises InputError if there is no such replication, or if nothing that counts finished."""
    own, bins = (_of(table, replication) for table in (requests, timeline))
    if not len(own):
        raise InputError(Problem("--replication", f"no replication {replication}"))
    values = arrow.values(own[METRICS[metric]])
    counted = (codes(own["state"], STATES) == FINISHED) & (arrow.values(own["sent_s"]) >= cut_s)
    counted &= ~np.isnan(values)
    if not counted.any():
        raise InputError(Problem("--percentile", f"no finished request has a {metric}"))
    bound = float(np.percentile(values[counted], p))
    group, others = counted & (values >= bound), counted & (values < bound)
    if not others.any():
        raise InputError(Problem("--percentile", f"every request has the same {metric}: none is slow"))
    asked = list(_columns(own, bins))
    found = [_trait(column, group, others, len(asked)) for column in asked]
    order = np.flatnonzero(group)[np.argsort(-values[group], kind="stable")]
    same = [one.name for one, trait in zip(asked, found, strict=True) if not trait and one.varies(counted)]
    return Slow(
        metric, p, bound, int(group.sum()), int(others.sum()),
        float(values[group].mean()), float(values[others].mean()),
        parts(own, metric, group, others), traits.ranked(found), same,
        arrow.values(own["request"])[order[:SHOWN]].tolist(),
    )  # fmt: skip


def _of(table: pa.Table, replication: int) -> pa.Table:
    """Its rows, which lie together; without pyarrow.compute, which would bring pandas."""
    first, last = np.searchsorted(arrow.values(table["replication"]), [replication, replication + 1])
    return table.slice(first, last - first)


def parts(own: pa.Table, metric: str, group: Any, others: Any) -> dict[str, float]:
    """Mean seconds of each part in the group less those in the others: they sum to the difference."""
    values = arrow.values(own[METRICS[metric]])
    scale = 1.0 / np.maximum(arrow.values(own["emitted"]) - 1, 1) if metric == "tpot" else 1.0
    found = {}
    rest = values.copy()
    for name in PARTS_OF[metric]:
        seconds = arrow.values(own[name]) * scale
        rest = rest - seconds
        found[name] = float(seconds[group].mean() - seconds[others].mean())
    found[REST] = float(rest[group].mean() - rest[others].mean())
    if abs(found[REST]) < 1e-12:
        del found[REST]
    return found


@dataclass(frozen=True, slots=True)
class Column:
    """Something that requests can have in common: numbers, labels (with what they stand for), or times."""

    name: str
    kind: str
    values: NDArray[Any]
    labels: tuple[Any, ...] = ()

    def varies(self, rows: NDArray[np.bool_]) -> bool:
        own = self.values[rows]
        return bool(len(own)) and bool((own != own[0]).any())


def _trait(column: Column, group: Any, others: Any, questions: int) -> Trait | None:
    if column.kind == "window":
        return traits.window(column.name, column.values, group, others, questions)
    if column.kind == "label":
        return traits.labels(column.name, column.labels, column.values, group, others, questions)
    return traits.numbers(column.name, column.values[group], column.values[others], questions)


def _columns(own: pa.Table, bins: pa.Table) -> Iterator[Column]:
    """When a request came, what it asked for, what it found, where it went."""
    yield Column("sent_s", "window", arrow.values(own["sent_s"]))
    yield from _asked(own)
    prompt, hits = (arrow.values(own[name]).astype(float) for name in ("prompt_tokens", "hit_tokens"))
    yield Column("computed_tokens", "number", prompt - hits)
    yield Column("hit_share", "number", hits / np.maximum(prompt, 1))
    yield Column("preemptions", "number", arrow.values(own["preemptions"]).astype(float))
    yield from _places(own, bins)


def _asked(own: pa.Table) -> Iterator[Column]:
    """The workload's own columns: all that stand before the time of sending."""
    for name in own.column_names[: own.column_names.index("sent_s")]:
        kind = own.schema.field(name).type
        if name in _OWN or pa.types.is_nested(kind):
            continue
        if name in _LABELS or pa.types.is_string(kind) or pa.types.is_dictionary(kind):
            found, numbers = traits.coded(own[name].to_pylist())
            yield Column(name, "label", numbers, tuple(found))
        else:
            yield Column(name, "number", arrow.values(own[name], absent=math.nan).astype(float))


def _places(own: pa.Table, bins: pa.Table) -> Iterator[Column]:
    """Replicas, and how busy they were when the request came there."""
    names = bins["replica"].combine_chunks().dictionary.to_pylist()
    replica, before = codes(own["replica"], names), codes(own["prefill_replica"], names)
    sent, handed = arrow.values(own["sent_s"]), arrow.values(own["prefill_end_s"])
    apart = bool((before >= 0).any())
    first = np.where(before >= 0, before, replica)
    if apart:
        yield Column("prefill_replica", "label", before, tuple(names))
    yield Column("replica", "label", replica, tuple(names))
    at = _Bins(bins, names)
    for name in ("waiting", "running", "kv_use"):
        yield Column(name, "number", at.value(name, first, sent))
    if apart:
        for name in ("waiting", "running", "kv_use"):
            yield Column(
                f"decode_{name}", "number", at.value(name, np.where(before >= 0, replica, -1), handed)
            )


class _Bins:
    """The timeline of one replication, looked up by replica and time."""

    __slots__ = ("_bins", "_count", "_place", "_width")

    def __init__(self, bins: pa.Table, names: list[str]) -> None:
        number = codes(bins["replica"], names)
        self._bins = bins
        self._count = int((number == number[0]).sum())
        self._width = float(arrow.values(bins["width_s"])[0])
        place = np.full(len(names) + 1, -1)
        place[number[:: self._count]] = np.arange(len(bins) // self._count)
        self._place = place

    def value(self, name: str, replica: NDArray[np.int64], time: Floats) -> Floats:
        """Of the bin around each time; NaN without a replica or a time."""
        known = (replica >= 0) & ~np.isnan(time)
        at = np.minimum(np.nan_to_num(time) // self._width, self._count - 1).astype(np.int64)
        rows = self._place[replica] * self._count + at
        return np.where(known, arrow.values(self._bins[name])[np.where(known, rows, 0)], np.nan)
