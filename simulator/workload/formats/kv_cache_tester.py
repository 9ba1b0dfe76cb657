"""Coding agents' sessions as kv-cache-tester has them: one JSON object a file, prompts of 64-token blocks.

requests: t (s), in, out, hash_ids (full blocks only, ids of this file alone), think_time; an entry of type
`subagent` has requests of its own. The agent and each sub-agent are sessions: their first request comes at
its time, each next one a think time after the answer before it. github.com/callanjfox/kv-cache-tester.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.errors import InputError, Problem, unknown
from simulator.workload.columns import UNSHARED, Floats, Workload
from simulator.workload.hashed import block_segments, check_hashes
from simulator.workload.jsonl import Objects, numbers, present, whole_numbers
from simulator.workload.reading import Faults, Rows, Source, assemble

TIMINGS = ("closed_loop", "recorded")
CLOCKS = ("relative", "absolute")


@dataclass(frozen=True, slots=True)
class Options:
    """timing: closed_loop (a think time after the answer before) or recorded (at t, whatever happened);
    subagent_t: relative to the entry (the repository's own files) or absolute (copies published elsewhere).
    """

    timing: str = "closed_loop"
    subagent_t: str = "relative"


def sniff(head: bytes) -> bool:
    return head.startswith(b"{") and all(name in head for name in (b'"requests"', b'"block_size"'))


def read(source: Source, options: Options, faults: Faults) -> Workload:
    """Requests of one file. Raises InputError for what is no such file, and for bad rows."""
    for name, known in (("timing", TIMINGS), ("subagent_t", CLOCKS)):
        if getattr(options, name) not in known:
            raise InputError(unknown(f"format_options.{name}", "choice", getattr(options, name), known))
    whole = _whole(source)
    size = whole["block_size"]
    taken = sorted(_requests(whole["requests"], options.subagent_t, faults), key=lambda row: row["t"])
    prompt, output = whole_numbers(taken, "in", faults), whole_numbers(taken, "out", faults)
    check_hashes(taken, prompt, size, faults, part=False)
    hashes = [[_own(whole, one) for one in row.get("hash_ids") or []] for row in taken]
    columns: dict[str, Any] = block_segments(hashes, prompt, size)
    columns["session"] = np.array([row["session"] for row in taken], np.int32)
    time_s = present(taken, "t", faults)
    if options.timing == "closed_loop":
        time_s, columns["think_s"] = _closed(taken, time_s, columns["session"], faults)
    record = source.provenance("kv_cache_tester") | {"block_size": size, "timing": options.timing}
    return assemble(Rows(time_s, prompt, output, columns), faults, record)


def _whole(source: Source) -> dict[str, Any]:
    try:
        whole = json.loads(source.data.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError) as error:
        raise InputError(Problem(source.name, f"no JSON: {error}", "one JSON object")) from None
    size = whole.get("block_size") if isinstance(whole, dict) else None
    if type(size) is not int or size < 1 or not isinstance(whole.get("requests"), list):
        allowed = "an object with requests (a list) and block_size (a whole number)"
        raise InputError(Problem(source.name, "no session of kv-cache-tester", allowed))
    return dict(whole)


def _requests(listed: list[Any], clock: str, faults: Faults) -> Iterator[dict[str, Any]]:
    """All requests, those of sub-agents among them, each with its session's number and its time."""
    sessions = 0
    for entry in listed:
        inner = entry.get("requests") if isinstance(entry, dict) else None
        if not isinstance(inner, list):
            yield _timed(entry, 0, 0.0)
            continue
        sessions += 1
        start = _timed(entry, 0, 0.0)["t"] if clock == "relative" else 0.0
        for request in inner:
            yield _timed(request, sessions, start)


def _timed(entry: Any, session: int, start: float) -> dict[str, Any]:
    """A copy; what has no time is kept, and found to be bad where times are read."""
    row = dict(entry) if isinstance(entry, dict) else {}
    given = row.get("t")
    good = isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given < float("inf")
    return row | {"t": start + float(given) if good and given is not None else -1.0, "session": session}


def _closed(taken: Objects, time_s: Floats, session: Any, faults: Faults) -> tuple[Floats, Floats]:
    """When each session begins, and how long its next requests wait for their user or tool: the think time,
    or where there is none what lay between the answer and the request.
    """
    think, took = numbers(taken, "think_time", faults), np.nan_to_num(numbers(taken, "api_time", faults))
    begins, waits = time_s.copy(), np.full(len(taken), np.nan)
    last: dict[int, int] = {}
    for row, number in enumerate(session.tolist()):
        before = last.get(number)
        last[number] = row
        if before is not None:
            begins[row] = begins[before]
            gap = max(time_s[row] - time_s[before] - took[before], 0.0)
            waits[row] = gap if np.isnan(think[row]) else think[row]
    return begins, waits


def _own(whole: dict[str, Any], local: int) -> int:
    """An id that no other file's ids are equal to; below those that nobody shares."""
    digest = hashlib.sha256(str(whole.get("id")).encode()).digest()
    return (int.from_bytes(digest[:3]) << 39 | local) % UNSHARED
