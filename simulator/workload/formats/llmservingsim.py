"""LLMServingSim's workloads: JSON Lines, input_toks, output_toks, arrival_time_ns; no token ids are read."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.workload.columns import Workload
from simulator.workload.jsonl import first_object, objects, present, whole_numbers
from simulator.workload.reading import Faults, Rows, Source, assemble


@dataclass(frozen=True, slots=True)
class Options:
    """None: the files say all."""


def sniff(head: bytes) -> bool:
    return {"arrival_time_ns", "input_toks"} <= first_object(head).keys()


def read(source: Source, options: Options, faults: Faults) -> Workload:
    """Requests of one file. Raises InputError for bad rows, unless they are to be skipped."""
    rows = objects(source, faults)
    prompt, output = whole_numbers(rows, "input_toks", faults), whole_numbers(rows, "output_toks", faults)
    time_s = present(rows, "arrival_time_ns", faults) / 1e9
    return assemble(Rows(time_s, prompt, output), faults, source.provenance("llmservingsim"))
