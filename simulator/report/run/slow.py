"""The slowest requests, each with what it waited for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from simulator.errors import InputError
from simulator.report.colours import PARTS
from simulator.report.page import Section, Tile
from simulator.report.request import time
from simulator.report.run.source import BLOCK, Source
from simulator.report.slow import sentences
from simulator.report.terminal import number, share
from simulator.results.columns import codes
from simulator.results.parts import WATERFALL
from simulator.results.slow import METRICS, Slow, explain
from simulator.results.waterfall import meanwhile

EACH = 3  # of the slowest by each latency
PERCENTILE = 99.0
LOOKED_AT = 200_000  # requests, at most, for what they have in common
TRAITS = 4  # named of each group
GROUPS = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "E2E"}
BY = {"ttft_s": "TTFT", "tpot_s": "TPOT", "e2e_s": "E2E"}
_VALUES = (
    *(
        "replication",
        "request",
        "sent_s",
        "finish_s",
        "prompt_tokens",
        "emitted",
        "hit_tokens",
        "preemptions",
    ),
    *BY,
    *WATERFALL,
)
WORTH = 0.1  # of the time: a part that is worth a word


def section(source: Source) -> Section:
    kept = source.finished() & (source.column("sent_s") >= source.cut_s)
    where = np.flatnonzero(kept)
    if not len(where):
        return Section("Slow requests", ("No request finished after the warm-up.",))
    chosen = slowest(source, where)
    items = [_item(source, row, by) for row, by in zip(_rows(source, chosen), chosen.values(), strict=True)]
    return Section(
        "Slow requests",
        (f"What the slowest 1 % have in common, then the {EACH} slowest of {len(where):,} by each latency.",),
        notes=(_how(source),),
        items=(*common(source), *items),
    )


def slowest(source: Source, where: Any) -> dict[int, list[str]]:
    """Rows of requests, and by which latencies each is among the slowest."""
    found: dict[int, list[str]] = {}
    for name, label in BY.items():
        values = np.nan_to_num(source.column(name)[where], nan=-np.inf)
        order = np.argsort(-values, kind="stable")[:EACH]
        for row in where[order[np.isfinite(values[order])]].tolist():
            found.setdefault(row, []).append(label)
    return found


def _rows(source: Source, chosen: dict[int, list[str]]) -> Iterator[dict[str, Any]]:
    numbers = list(chosen)
    columns: dict[str, list[Any]] = {name: source.column(name)[numbers].tolist() for name in _VALUES}
    names = source.replicas()
    for name in ("replica", "prefill_replica"):
        found = codes(source.requests[name], names)[numbers]
        columns[name] = [names[code] if code >= 0 else None for code in found]
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _item(source: Source, row: dict[str, Any], by: list[str]) -> Tile:
    many = source.summary["replications"] > 1
    name = f"Request {row['request']}" + (f" of replication {row['replication']}" if many else "")
    times = [f"{label} {time(row[key])}" for key, label in BY.items() if not np.isnan(row[key])]
    cached = f", {row['hit_tokens']:,} of them cached" if row["hit_tokens"] else ""
    tokens = f"{row['prompt_tokens']:,} prompt tokens{cached}, {row['emitted']:,} output tokens"
    first = by == ["TTFT"]
    return Tile(
        f"{name}, slowest by {' and '.join(by)}",
        "; ".join(why(row, first)) + ".",
        f"{', '.join(times)}. Sent at {row['sent_s']:,.1f} s with {tokens}. {_beside(source, row, first)}",
    )


def why(row: dict[str, Any], first: bool) -> list[str]:
    """The largest parts of its time; first: of that to its first token."""
    parts = [part for part in WATERFALL if not (first and part.startswith(("decode", "preempted")))]
    known = {part: row[part] for part in parts if row[part] and not np.isnan(row[part])}
    total = sum(known.values()) or 1.0
    largest = sorted(known, key=lambda part: -known[part])
    told = [f"{PARTS[part][0]} {time(known[part])} ({share(known[part] / total)})" for part in largest
            if known[part] >= WORTH * total]  # fmt: skip
    if row["preemptions"]:
        told.append(f"preempted {row['preemptions']:,} times")
    return told


def _beside(source: Source, row: dict[str, Any], first: bool) -> str:
    """What went on where it waited."""
    replica = (row["prefill_replica"] if first else None) or row["replica"]
    found = meanwhile(source.timeline, row | {"replica": replica})
    if not found:
        return ""
    return (
        f"Meanwhile on {replica}: {number(found['running'])} ran, {number(found['waiting'])} waited, "
        f"{share(found['kv_use'])} of KV blocks in use."
    )


def common(source: Source) -> Iterator[Tile]:
    """What the slowest by each latency have in common."""
    table, _ = source.thinned(LOOKED_AT)
    for name, label in GROUPS.items():
        if source.summary["metrics"][METRICS[name]].get("refused"):
            continue
        try:
            found = explain(table, source.timeline, source.cut_s, name, PERCENTILE)
        except InputError:  # nothing finished, or all are equally slow
            continue
        told = sentences(found)[:TRAITS] or ["nothing recorded sets them apart"]
        yield Tile(
            f"The slowest 1 % by {label}, {time(found.bound)} or more",
            "; ".join(told) + ".",
            f"{found.group:,} requests of {time(found.group_mean)} on average, {time(found.others_mean)} the "
            f"others; the difference goes to {', '.join(_more(found))}.",
        )


def _more(found: Slow) -> Iterator[str]:
    """Which parts of the time take more of it, the most first."""
    more = found.group_mean - found.others_mean
    for part, seconds in sorted(found.parts.items(), key=lambda item: -item[1]):
        if seconds >= WORTH * more:
            label = PARTS[part][0] if part in PARTS else "the rest"
            yield f"{label} {time(seconds)} ({share(seconds / more)})"


def _how(source: Source) -> str:
    _, every = source.thinned(LOOKED_AT)
    of = f"one block in {every} of {BLOCK:,} requests" if every > 1 else "all requests"
    first = " of the first replication" if source.summary["replications"] > 1 else ""
    return (
        f"Finished requests sent after the warm-up. In common: {of}{first}, medians of the slowest 1 % "
        "against the others', what chance could bring left out. Of each request, named are parts of its own "
        "time that are a tenth of it or more (of TTFT for those slow by it alone); meanwhile: time averages "
        "from its sending to its end. sim explain FOLDER --request ID or --percentile ttft:p99 tells more."
    )
