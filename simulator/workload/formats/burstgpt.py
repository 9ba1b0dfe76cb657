"""BurstGPT (HPMLL/BurstGPT): CSV of 6 columns, or of 8 with Session ID and Elapsed time.

Timestamp is in seconds from the first day's midnight. Response tokens of 0 mean a failed request: left
out and counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.workload.columns import Workload
from simulator.workload.jsonl import session_columns
from simulator.workload.reading import Faults, Rows, Source, assemble
from simulator.workload.table import csv_text, decimals, header, whole_numbers


@dataclass(frozen=True, slots=True)
class Options:
    """None: the files say all."""


def sniff(head: bytes) -> bool:
    return {"timestamp", "request tokens", "response tokens"} <= set(header(head))


def read(source: Source, options: Options, faults: Faults) -> Workload:
    """Requests of one file. Raises InputError for bad rows, unless they are to be skipped."""
    sessions = ["session id"] if "session id" in header(source.head) else []
    texts = csv_text(source, ["timestamp", "request tokens", "response tokens", *sessions], faults)
    time_s = decimals(texts["timestamp"], "Timestamp", faults)
    prompt = whole_numbers(texts["request tokens"], "Request tokens", faults)
    output = whole_numbers(texts["response tokens"], "Response tokens", faults)
    names = [name or None for name in texts["session id"].to_pylist()] if sessions else []
    return assemble(
        Rows(time_s, prompt, output, session_columns(names)), faults, source.provenance("burstgpt")
    )
