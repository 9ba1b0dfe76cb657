"""Qwen-Bailian's traces (Alibaba): JSON Lines of chats with hashed prompt blocks of 16 tokens.

chat_id, parent_chat_id (−1: none), timestamp (s), input_length, output_length, type, turn, hash_ids: an id
stands for all tokens up to its block's end, so equal ids are equal prefixes; the last block may be
part-filled. A session is a chat with all that follow from it.
github.com/alibaba-edu/qwen-bailian-usagetraces-anon.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.errors import InputError, Problem
from simulator.workload.columns import Workload
from simulator.workload.hashed import block_segments, check_hashes
from simulator.workload.jsonl import Objects, first_object, objects, present, session_columns, whole_numbers
from simulator.workload.reading import Faults, Rows, Source, assemble


@dataclass(frozen=True, slots=True)
class Options:
    """block_size: tokens of a hashed block."""

    block_size: int = 16


def sniff(head: bytes) -> bool:
    return {"chat_id", "input_length"} <= first_object(head).keys()


def read(source: Source, options: Options, faults: Faults) -> Workload:
    """Requests of one file. Raises InputError for bad rows, unless they are to be skipped."""
    if options.block_size < 1:
        raise InputError(Problem("format_options.block_size", f"{options.block_size} tokens", "at least 1"))
    rows = objects(source, faults)
    prompt = whole_numbers(rows, "input_length", faults)
    output = whole_numbers(rows, "output_length", faults)
    time_s = present(rows, "timestamp", faults)
    check_hashes(rows, prompt, options.block_size, faults)
    hashes = [row.get("hash_ids") or [] for row in rows]
    columns = session_columns(_roots(rows, np.argsort(time_s, kind="stable").tolist()))
    columns |= block_segments(hashes, prompt, options.block_size)
    record = source.provenance("bailian") | {"block_size": options.block_size}
    return assemble(Rows(time_s, prompt, output, columns), faults, record)


def _roots(rows: Objects, order: list[int]) -> list[object]:
    """The first chat of each one's session; one whose parent is not in the file begins its own."""
    root: dict[object, object] = {}
    found: list[object] = [None] * len(rows)
    for row in order:
        chat, parent = (_plain(rows[row].get(key)) for key in ("chat_id", "parent_chat_id"))
        found[row] = root[chat] = root.get(parent, chat)
    return found


def _plain(value: object) -> object:
    return value if isinstance(value, int | str) else repr(value)
