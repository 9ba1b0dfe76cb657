"""TraceLab (uw-syfi): rounds of coding sessions, as JSON Lines of what was recorded or as a CSV replay sheet.

Rounds: session_id, round_index, input_tokens_total, prefix_tokens, output_tokens, timing_events, the first of
which is the arrival. Sheet: session_id, arrival_time (ms, the session's), round_idx, prefix_len, input_len,
output_len, tool_wait_after_ms: each round comes so long after the answer before it.
github.com/uw-syfi/TraceLab.

The prefix of a round is the beginning of what its session has seen: prompts and answers in their order. What
of it is longer than that comes from outside the session (a system prompt) and is shared within it only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.workload.columns import Floats, Longs, Workload
from simulator.workload.jsonl import Objects, first_object, objects, session_columns, whole_numbers
from simulator.workload.reading import Faults, Rows, Source, assemble
from simulator.workload.table import csv_text, decimals, header
from simulator.workload.table import whole_numbers as csv_numbers

LENGTHS = ("prefix_len", "input_len", "output_len", "round_idx")
TIMES = ("arrival_time", "tool_wait_after_ms")
SHEET = ("session_id", *TIMES, *LENGTHS)


@dataclass(frozen=True, slots=True)
class Options:
    """None: the files say all."""


def sniff(head: bytes) -> bool:
    if set(SHEET) <= set(header(head)):
        return True
    return {"round_index", "prefix_tokens", "timing_events"} <= first_object(head).keys()


def read(source: Source, options: Options, faults: Faults) -> Workload:
    """Requests of one file. Raises InputError for bad rows, unless they are to be skipped."""
    found = _sheet(source, faults) if set(SHEET) <= set(header(source.head)) else _rounds(source, faults)
    time_s, prompt, prefix, output, columns = found
    for row in np.flatnonzero((prefix > prompt) & (prompt >= 0)).tolist():
        faults.add(row, "the prefix", int(prefix[row]), f"at most the prompt ({prompt[row]})")
    columns |= _segments(columns.get("session"), prompt, np.minimum(prefix, prompt), output)
    return assemble(Rows(time_s, prompt, output, columns), faults, source.provenance("tracelab"))


Columns = dict[str, npt.NDArray[Any]]
Found = tuple[Floats, Longs, Longs, Longs, Columns]


def _sheet(source: Source, faults: Faults) -> Found:
    texts = csv_text(source, list(SHEET), faults)
    arrival, wait = (decimals(texts[name], name, faults) / 1000 for name in TIMES)
    prefix, fresh, output, number = (csv_numbers(texts[name], name, faults) for name in LENGTHS)
    columns: Columns = {**session_columns([name or None for name in texts["session_id"].to_pylist()])}
    _check_rounds(columns, number, faults)
    columns["think_s"] = _after_the_one_before(columns.get("session"), wait)
    return arrival, np.where((prefix < 0) | (fresh < 0), -1, prefix + fresh), prefix, output, columns


def _rounds(source: Source, faults: Faults) -> Found:
    rows = objects(source, faults)
    names = ("input_tokens_total", "prefix_tokens", "output_tokens", "round_index")
    prompt, prefix, output, number = (whole_numbers(rows, name, faults) for name in names)
    columns: Columns = {**session_columns([_name(row) for row in rows])}
    time_s = _first_events(rows, faults)
    _check_rounds(columns, number, faults)
    return time_s, prompt, prefix, output, columns


def _name(row: dict[str, Any]) -> object:
    name = row.get("session_id")
    return name if isinstance(name, int | str) else None


def _first_events(rows: Objects, faults: Faults) -> Floats:
    """Seconds since 1970 of each row's first event."""
    found = np.zeros(len(rows))
    for row, item in enumerate(rows):
        events = item.get("timing_events")
        first = events[0] if isinstance(events, list) and events and isinstance(events[0], dict) else {}
        try:
            found[row] = datetime.fromisoformat(str(first.get("timestamp"))).timestamp()
        except (ValueError, OverflowError):
            faults.add(row, "timing_events[0].timestamp", first.get("timestamp"), "an ISO 8601 time")
    return found


def _check_rounds(columns: Columns, number: Longs, faults: Faults) -> None:
    """Notes rows that come after a later round of their session: of these nothing else could be made out."""
    last: dict[int, int] = {}
    for row, (session, one) in enumerate(zip(columns.get("session", np.array([])).tolist(), number.tolist())):
        if session >= 0 and one <= last.get(session, -1):
            faults.add(row, "the round", one, f"more than that of the row before it ({last[session]})")
        last[session] = one


def _after_the_one_before(session: npt.NDArray[Any] | None, wait: Floats) -> Floats:
    """Of each row the wait of the one before it in its session; NaN where there is none."""
    found = np.full(len(wait), np.nan)
    last: dict[int, int] = {}
    for row, one in enumerate(session.tolist() if session is not None else []):
        if one >= 0 and one in last:
            found[row] = np.nan_to_num(wait[last[one]])
        last[one] = row
    return found


def _segments(
    session: npt.NDArray[Any] | None, prompt: Longs, prefix: Longs, output: Longs
) -> dict[str, npt.NDArray[Any]]:
    """Each prompt as the pieces of its session's past that its prefix covers, and a piece of its own.

    Ids: 3 row + 1 of what a round adds, + 2 of its answer, + 3 of what its prefix has from outside.
    """
    ids: list[int] = []
    tokens: list[int] = []
    offset = [0]
    past: dict[int, list[tuple[int, int]]] = {}
    sessions = session.tolist() if session is not None else [-1] * len(prompt)
    for row, (one, whole, shared, answer) in enumerate(
        zip(sessions, prompt.tolist(), prefix.tolist(), output.tolist())
    ):
        pieces = _beginning(past.get(one, []), shared, 3 * row + 3)
        if whole > shared >= 0:
            pieces.append((3 * row + 1, whole - shared))
        if one >= 0:
            past[one] = [*pieces, (3 * row + 2, answer)] if answer > 0 else pieces
        ids += [piece for piece, _ in pieces]
        tokens += [length for _, length in pieces]
        offset.append(len(ids))
    return {
        "segment_offset": np.array(offset, np.int64),
        "segment_id": np.array(ids, np.uint64),
        "segment_tokens": np.array(tokens, np.int32),
        "output_segment": 3 * np.arange(len(prompt), dtype=np.uint64) + np.uint64(2),
    }


def _beginning(past: list[tuple[int, int]], tokens: int, outside: int) -> list[tuple[int, int]]:
    """The first so many tokens of what a session has seen, and what is lacking from outside."""
    found = []
    for piece, length in past:
        if tokens <= 0:
            break
        found.append((piece, min(length, tokens)))
        tokens -= length
    return [*found, (outside, tokens)] if tokens > 0 else found
