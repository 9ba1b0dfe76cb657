"""APEX (microsoft/apex_plus): JSON Lines, ContextTokens, GeneratedTokens, StartTimeOffset (ns)."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.workload.columns import Workload
from simulator.workload.jsonl import first_object, objects, present, whole_numbers
from simulator.workload.reading import Faults, Rows, Source, assemble


@dataclass(frozen=True, slots=True)
class Options:
    """None: the files say all."""


def sniff(head: bytes) -> bool:
    return {"StartTimeOffset", "ContextTokens"} <= first_object(head).keys()


def read(source: Source, options: Options, faults: Faults) -> Workload:
    """Requests of one file; the prompts' text is not read. Raises InputError for bad rows."""
    rows = objects(source, faults)
    prompt = whole_numbers(rows, "ContextTokens", faults)
    output = whole_numbers(rows, "GeneratedTokens", faults)
    time_s = present(rows, "StartTimeOffset", faults) / 1e9
    return assemble(Rows(time_s, prompt, output), faults, source.provenance("apex"))
