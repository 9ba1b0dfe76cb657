"""RAGPulse: a university's question service, with each prompt's parts (0_trace.jsonl and five tables).

Parts stand in the file's order: sys_prompt, passages_ids, history, web_search, user_input. input_length is a
few tokens more than their sum: the template, which comes last here and is shared with nobody. The second
week's clock begins at zero again: `weeks: unwrapped` puts it after the first, `as_written` on top of it.
github.com/flashserve/RAGPulse (arXiv:2511.12979).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import InputError, Problem, unknown
from simulator.workload.columns import UNSHARED, Workload
from simulator.workload.jsonl import Objects, first_object, objects, present, session_columns, whole_numbers
from simulator.workload.reading import Faults, Rows, Source, assemble, open_source

TABLES = {
    "sys_prompt": ("1_sys_prompt", "sys_prompt_id"),
    "passages_ids": ("2_passages", "passage_id"),
    "history": ("3_history", "history_id"),
    "web_search": ("5_web_search", "web_search_id"),
    "user_input": ("4_user_input", "user_input_id"),
}
WEEK_S = 604800.0
WEEKS = ("unwrapped", "as_written")


@dataclass(frozen=True, slots=True)
class Options:
    """weeks: unwrapped (a week is added after each step back of the clock) or as_written."""

    weeks: str = "unwrapped"


def sniff(head: bytes) -> bool:
    first = first_object(head)
    if "token_length" in first and "input_length" not in first:
        what = "a table of RAGPulse's prompt parts, not the trace"
        raise InputError(Problem("", what, "0_trace.jsonl, or the folder that holds it"))
    return isinstance(first.get("hash_ids"), dict)


def read(source: Source, options: Options, faults: Faults) -> Workload:
    """Requests of a folder. Raises InputError for a missing table, bad rows, an unknown `weeks`."""
    if options.weeks not in WEEKS:
        raise InputError(unknown("format_options.weeks", "choice", options.weeks, WEEKS))
    lengths, digests = _part_lengths(source)
    rows = objects(source, faults)
    prompt = whole_numbers(rows, "input_length", faults)
    output = whole_numbers(rows, "output_length", faults)
    time_s = present(rows, "timestamp", faults, text=True)
    if options.weeks == "unwrapped":
        time_s = _unwrapped(time_s)
    columns = _segments(rows, prompt, lengths, faults) | session_columns(
        [row.get("session_id") for row in rows]
    )
    record = source.provenance("ragpulse") | {"weeks": options.weeks, "tables": digests}
    return assemble(Rows(time_s, prompt, output, columns), faults, record)


def _unwrapped(time_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A week more after each step back; a row without time (NaN) is no step."""
    known = ~np.isnan(time_s)
    steps = np.zeros(len(time_s))
    steps[np.flatnonzero(known)[1:]] = np.diff(time_s[known]) < 0
    return time_s + WEEK_S * np.cumsum(steps)


def _part_lengths(source: Source) -> tuple[dict[int, int], dict[str, str]]:
    """Tokens by id, and each table's SHA-256. Raises InputError for a table that is not there."""
    lengths: dict[int, int] = {}
    digests: dict[str, str] = {}
    for stem, key in TABLES.values():
        table = _table(source, stem)
        digests[f"{stem}.jsonl"] = hashlib.sha256(table.data).hexdigest()
        faults = Faults(table.name, False)
        rows = objects(table, faults)
        tokens = whole_numbers(rows, "token_length", faults)
        ids = whole_numbers(rows, key, faults)
        faults.keep(len(rows))
        lengths.update(zip(ids.tolist(), tokens.tolist()))
    return lengths, digests


def _table(source: Source, stem: str) -> Source:
    for name in (f"{stem}.jsonl", f"{stem}.jsonl.gz"):
        if (source.path.parent / name).is_file():
            return open_source(source.path.parent / name)
    needed = ", ".join(f"{known}.jsonl" for known, _ in TABLES.values())
    raise InputError(Problem(source.name, f"its table {stem}.jsonl is not beside it", needed))


def _segments(
    rows: Objects, prompt: npt.NDArray[np.int64], lengths: dict[int, int], faults: Faults
) -> dict[str, npt.NDArray[Any]]:
    """Each prompt's parts as segments, the template last; a row with unknown parts is noted as bad."""
    ids: list[int] = []
    tokens: list[int] = []
    offset = [0]
    for row, (item, total) in enumerate(zip(rows, prompt.tolist())):
        parts = _parts(item)
        unknown_ids = [part for part in parts if part not in lengths]
        rest = total - sum(lengths.get(part, 0) for part in parts)
        if unknown_ids or rest < 0:
            allowed = "ids of the tables" if unknown_ids else f"at most input_length ({total}) tokens in all"
            faults.add(row, "hash_ids", unknown_ids[:3] or parts, allowed)
        else:
            used = [part for part in parts if lengths[part]]
            ids += used
            tokens += [lengths[part] for part in used]
            if rest:
                ids.append(UNSHARED + row)
                tokens.append(rest)
        offset.append(len(ids))
    return {
        "segment_offset": np.array(offset, np.int64),
        "segment_id": np.array(ids, np.uint64),
        "segment_tokens": np.array(tokens, np.int32),
    }


def _parts(item: dict[str, Any]) -> list[int]:
    listed = item.get("hash_ids")
    return [part for name in TABLES for part in listed.get(name, ())] if isinstance(listed, dict) else []
