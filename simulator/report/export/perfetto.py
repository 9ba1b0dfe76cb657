"""A trace for ui.perfetto.dev and chrome://tracing: Chrome's JSON trace events.

- "requests": every request on a lane, from sending to its end, its parts below it
- "KV transfer": prompts on their way from a prefill to a decode replica
- a process a replica: its steps (or time bins, where no steps were recorded), the requests that it runs on
  lanes, and counters of the timeline
- a flow a request: from "requests" to the replica that prefills it, over the transfer, to where it decodes
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.report.export import lines
from simulator.report.export.carried import Carried
from simulator.report.export.journeys import Journeys, journeys
from simulator.report.export.source import BATCH, Source, Told
from simulator.results.atomic import replacing_file

CARRIED = {
    "requests": (
        *("request", "prompt_tokens", "output_tokens", "sent_s", "state", "replica", "prefill_replica"),
        *("queue_s", "prefill_s", "transfer_s", "decode_s", "e2e_s", "load_start_s", "load_end_s"),
        *(
            "first_scheduled_s",
            "prefill_end_s",
            "decode_start_s",
            "finish_s",
            "emitted",
            "hit_tokens",
            "preemptions",
        ),
    ),
    "timeline": ("replica", "start_s", "running", "waiting", "kv_use"),
    "steps": (
        *("replica", "start_s", "end_s", "step_s", "context_sum", "decodes", "prefill_tokens", "chunks"),
        *("admitted", "preempted", "used_blocks"),
    ),
}
BINS = ("width_s", "steps", "busy", "step_s", "prefill_tokens", "decode_tokens")
REQUESTS, TRANSFER, FIRST_REPLICA = 1, 2, 10
STEPS, FIRST_LANE = 1, 10
BIG = 500e6


def write(source: Source, out: Path, told: Told) -> Carried:
    """Writes the file, packed if its name ends in .gz."""
    carried = dict(CARRIED)
    notes = []
    if "steps" not in source.rows:
        carried["timeline"] += BINS
        notes.append("slices are time bins: no steps were recorded (sim run --steps)")
    with replacing_file(out) as new:
        with new.open("wb") as raw:
            if out.suffix == ".gz":
                with gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
                    _trace(packed, source, told)
            else:
                _trace(raw, source, told)
        size = new.stat().st_size
    if size > BIG:
        notes.append(
            f"{size / 1e9:.1f} GB: --from and --until cut it, or open it with trace_processor --httpd"
        )
    return Carried((out,), carried, notes)


def _trace(file: Any, source: Source, told: Told) -> None:
    found = journeys(source)
    total = source.rows["requests"] + source.rows["timeline"] + source.rows.get("steps", 0)
    done = 0
    file.write(b'{"displayTimeUnit": "ms", "otherData": ')
    file.write(json.dumps(_about(source), ensure_ascii=False).encode() + b', "traceEvents": [\n')
    file.write(",\n".join(json.dumps(event) for event in _named(source, found)).encode())
    for rows, events in _all(source, found):
        for text in events:
            lines.write(file, text, ",\n", False)
        done += rows
        told(done, total)
    file.write(b"\n]}\n")


def _about(source: Source) -> dict[str, Any]:
    summary = source.summary
    told = summary["scenario"] | {"sim": summary["versions"]["sim"], "replication": source.replication}
    return {key: str(value) for key, value in told.items()} | {"verdict": summary["verdict"]["sentence"]}


def _all(source: Source, found: Journeys) -> Iterator[tuple[int, list[pa.Array]]]:
    """Events, and how many rows they stand for."""
    yield from _timeline(source)
    if "steps" in source.rows:
        yield from _steps(source)
    for begin in range(0, len(found.sent), BATCH):
        rows = np.arange(begin, min(begin + BATCH, len(found.sent)))
        yield len(rows), list(_requests(found, rows))


def _named(source: Source, found: Journeys) -> Iterator[dict[str, Any]]:
    """Names of processes and threads."""
    yield from _process(REQUESTS, "requests", 0)
    yield from _lanes(REQUESTS, "request", found.lane)
    if len(found.moved):
        yield from _process(TRANSFER, "KV transfer", 1)
        yield from _lanes(TRANSFER, "transfer", found.transfer_lane)
    what = "steps" if "steps" in source.rows else "time bins (no steps recorded)"
    for number, name in enumerate(source.replicas):
        pid = FIRST_REPLICA + number
        yield from _process(pid, name, pid)
        yield _thread(pid, STEPS, what)
        yield from _lanes(pid, "running", found.slots(number))


def _process(pid: int, name: str, order: int) -> Iterator[dict[str, Any]]:
    yield {"ph": "M", "pid": pid, "tid": 0, "name": "process_name", "args": {"name": name}}
    yield {"ph": "M", "pid": pid, "tid": 0, "name": "process_sort_index", "args": {"sort_index": order}}


def _lanes(pid: int, name: str, used: Any) -> Iterator[dict[str, Any]]:
    for lane in range(int(used.max(initial=-1)) + 1):
        yield _thread(pid, FIRST_LANE + lane, f"{name} {lane}")


def _thread(pid: int, tid: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "pid": pid, "tid": tid, "name": "thread_name", "args": {"name": name}}


def _steps(source: Source) -> Iterator[tuple[int, list[pa.Array]]]:
    for whole in source.batches("steps", CARRIED["steps"]):
        batch = _within(source, whole, whole.column("end_s"))
        column = _numbers(batch)
        decodes, prefill = column["decodes"] > 0, column["prefill_tokens"] > 0
        kind = np.where(decodes & prefill, 2, np.where(prefill, 1, 0))
        names = pa.array(["decode", "prefill", "mixed"]).take(pa.array(kind.tolist(), pa.int64()))
        start, end = lines.nanoseconds(column["start_s"]), lines.nanoseconds(column["end_s"])
        args = {name: column[name] for name in CARRIED["steps"][4:]}
        yield len(whole), [slices(names, _pid(source, batch), STEPS, start, end, args)]


def _timeline(source: Source) -> Iterator[tuple[int, list[pa.Array]]]:
    names = [*CARRIED["timeline"], *BINS]
    for whole in source.batches("timeline", names):
        batch = _within(source, whole, pc.add(whole.column("start_s"), whole.column("width_s")))
        column = _numbers(batch)
        start, pid = lines.nanoseconds(column["start_s"]), _pid(source, batch)
        events = [_counter(name, pid, start, column[name]) for name in ("running", "waiting", "kv_use")]
        if "steps" not in source.rows:
            end = lines.nanoseconds(column["start_s"] + column["width_s"])
            args = {name: np.nan_to_num(column[name]) for name in BINS[1:]}
            names_of = lines.joined(
                "busy ", lines.texts(np.rint(column["busy"] * 100).astype(np.int64)), " %"
            )
            events.append(slices(names_of, pid, STEPS, start, end, args))
        yield len(whole), events


def _within(source: Source, batch: pa.RecordBatch, end: pa.Array) -> pa.RecordBatch:
    """The rows that the window touches."""
    begin, until = source.window
    return batch.filter(pc.and_(pc.less(batch.column("start_s"), until), pc.greater(end, begin)))


def _numbers(batch: pa.RecordBatch) -> dict[str, Any]:
    from simulator import arrow

    return {
        name: arrow.values(batch.column(name))
        for name in batch.schema.names
        if not pa.types.is_dictionary(batch.column(name).type)
    }


def _pid(source: Source, batch: pa.RecordBatch) -> pa.Array:
    from simulator.results.columns import codes

    return lines.texts(codes(pa.chunked_array([batch.column("replica")]), source.replicas) + FIRST_REPLICA)


def _counter(name: str, pid: pa.Array, at: Any, values: Any) -> pa.Array:
    return lines.joined(
        f'{{"ph": "C", "name": "{name}", "pid": ', pid, ', "tid": 0, "ts": ', lines.microseconds(at),
        ', "args": {"value": ', lines.texts(np.nan_to_num(values)), "}}",
    )  # fmt: skip


def slices(name: Any, pid: Any, tid: Any, start: Any, end: Any, args: dict[str, Any]) -> pa.Array:
    """Complete events from whole nanoseconds; name, pid and tid a column of texts or one value."""
    parts: list[Any] = [
        '{"ph": "X", "name": "', name, '", "pid": ', _text(pid), ', "tid": ', _text(tid),
        ', "ts": ', lines.microseconds(start), ', "dur": ', lines.microseconds(np.maximum(end - start, 0)),
        ', "args": {',
    ]  # fmt: skip
    for number, (key, values) in enumerate(args.items()):
        parts += [
            f'{", " if number else ""}"{key}": ',
            values if isinstance(values, pa.Array) else lines.texts(values),
        ]
    return lines.joined(*parts, "}}")


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) else value


def _requests(found: Journeys, rows: Any) -> Iterator[pa.Array]:
    """The slices of some requests, each followed by its end of the flow."""
    rows = rows[~np.isnan(found.sent[rows])]
    lane = lines.texts(found.lane[rows] + FIRST_LANE)
    number = lines.texts(found.number[rows])
    edge = [lines.nanoseconds(found.sent[rows] + found.until[:, rows][part]) for part in range(5)]
    states = lines.joined('"', found.states(rows), '"')
    args = {"request": number, "state": states} | {name: values[rows] for name, values in found.args.items()}
    yield slices(lines.joined("request ", number), REQUESTS, lane, edge[0], edge[4], args)
    yield flow("s", number, REQUESTS, lane, edge[0])
    for part, name in enumerate(("queue", "prefill", "transfer", "decode")):
        some = np.flatnonzero(edge[part + 1] > edge[part])
        where = pa.array(some.tolist(), pa.int64())
        own = {"request": number.take(where)}
        yield slices(name, REQUESTS, lane.take(where), edge[part][some], edge[part + 1][some], own)
    yield from _visits(found, rows)


def _visits(found: Journeys, rows: Any) -> Iterator[pa.Array]:
    """What a request does on replicas and between them, and the flow that joins it up."""
    for visit in found.visits:
        some = rows[visit.there[rows]]
        number, lane = lines.texts(found.number[some]), lines.texts(visit.lane[some] + FIRST_LANE)
        start, end = lines.nanoseconds(visit.start[some]), lines.nanoseconds(visit.end[some])
        pid = TRANSFER if visit.replica is None else lines.texts(visit.replica[some] + FIRST_REPLICA)
        yield slices(lines.joined(f"{visit.name} ", number), pid, lane, start, end, {"request": number})
        yield flow("f" if visit.name == "decode" else "t", number, pid, lane, start)


def flow(kind: str, number: pa.Array, pid: Any, tid: Any, at: Any) -> pa.Array:
    """A point of a flow: s its start, t a step of it, f its end; bound to the slice around it."""
    return lines.joined(
        f'{{"ph": "{kind}", "bp": "e", "cat": "request", "name": "request", "id": ', number,
        ', "pid": ', _text(pid), ', "tid": ', tid, ', "ts": ', lines.microseconds(at), "}",
    )  # fmt: skip
