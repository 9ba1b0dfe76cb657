"""Mooncake's traces (Kimi), and AIPerf's and Dynamo's like them: JSON Lines with hashed prompt blocks.

timestamp (ms), input_length, output_length, hash_ids: an id stands for all tokens up to its block's end, so
equal ids are equal prefixes; the last block may be part-filled. AIPerf adds session_id and delay (ms after
the session's previous answer). github.com/kvcache-ai/Mooncake, FAST25-release; AIPerf's `mooncake_trace`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import InputError, Problem
from simulator.workload.columns import Workload, turns_of
from simulator.workload.hashed import block_segments, check_hashes
from simulator.workload.jsonl import (
    Objects,
    first_object,
    numbers,
    objects,
    present,
    session_columns,
    whole_numbers,
)
from simulator.workload.reading import Faults, Rows, Source, assemble


@dataclass(frozen=True, slots=True)
class Options:
    """block_size: tokens of a hashed block; the file doesn't say it (Mooncake: 512, others differ)."""

    block_size: int = 512


def sniff(head: bytes) -> bool:
    first = first_object(head)
    return ("input_length" in first or "text_input" in first) and not (
        isinstance(first.get("hash_ids"), dict) or "chat_id" in first
    )


def read(source: Source, options: Options, faults: Faults) -> Workload:
    """Requests of one file. Raises InputError for bad rows, and prompts as text, of unknown length."""
    if options.block_size < 1:
        raise InputError(Problem("format_options.block_size", f"{options.block_size} tokens", "at least 1"))
    rows = objects(source, faults)
    if any("text_input" in row and "input_length" not in row for row in rows):
        what = "a prompt as text_input has no number of tokens"
        raise InputError(Problem(source.name, what, "input_length: count tokens with the model's tokenizer"))
    prompt = whole_numbers(rows, "input_length", faults)
    output = whole_numbers(rows, "output_length", faults)
    when = _timing(rows, faults)
    check_hashes(rows, prompt, options.block_size, faults)
    columns = when | block_segments([row.get("hash_ids") or [] for row in rows], prompt, options.block_size)
    record = source.provenance("mooncake") | {"block_size": options.block_size}
    return assemble(Rows(columns.pop("time_s"), prompt, output, columns), faults, record)


def _timing(rows: Objects, faults: Faults) -> dict[str, npt.NDArray[Any]]:
    """time_s, and for sessions session, turn and think_s: a turn with a delay waits for the one before it."""
    if not any("session_id" in row or "delay" in row for row in rows):
        return {"time_s": present(rows, "timestamp", faults) / 1000}
    time_s = numbers(rows, "timestamp", faults) / 1000
    delay_s = numbers(rows, "delay", faults) / 1000
    start = np.where(np.isnan(time_s), np.nan_to_num(delay_s), time_s)
    sessions = session_columns([row.get("session_id") for row in rows])
    if not sessions:
        return {"time_s": start}
    first = turns_of(sessions["session"]) < 1
    follows = ~first & np.isnan(time_s)
    begin = start[first & (sessions["session"] >= 0)]
    start[follows] = begin[sessions["session"][follows]]
    return {"time_s": start, **sessions, "think_s": np.where(follows, np.nan_to_num(delay_s), np.nan)}
