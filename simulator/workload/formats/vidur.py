"""Vidur's processed traces: CSV with arrived_at (s), num_prefill_tokens, num_decode_tokens; or lengths alone.

Lengths alone are no trace: `arrivals: at_once` sends all at 0, as a benchmark of throughput does; a synthetic
workload takes them as its lengths. github.com/microsoft/vidur, data/processed_traces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.errors import InputError, Problem, unknown
from simulator.workload.columns import Workload
from simulator.workload.reading import Faults, Rows, Source, assemble
from simulator.workload.table import csv_text, decimals, header, whole_numbers

ARRIVALS = ("arrived_at", "at_once")


@dataclass(frozen=True, slots=True)
class Options:
    """arrivals: arrived_at (the column), or at_once (all at 0)."""

    arrivals: str = "arrived_at"


def sniff(head: bytes) -> bool:
    return {"num_prefill_tokens", "num_decode_tokens"} <= set(header(head))


def read(source: Source, options: Options, faults: Faults) -> Workload:
    """Requests of one file. Raises InputError for bad rows, and for lengths alone unless `at_once`."""
    if options.arrivals not in ARRIVALS:
        raise InputError(unknown("format_options.arrivals", "choice", options.arrivals, ARRIVALS))
    timed = options.arrivals == "arrived_at"
    if timed and "arrived_at" not in header(source.head):
        hint = "arrivals: at_once sends all at 0; synthetic: {prompt: {kind: empirical, trace: …}} draws"
        raise InputError(Problem(source.name, "lengths without arrivals", "a column arrived_at", hint))
    names = ["num_prefill_tokens", "num_decode_tokens", *(["arrived_at"] if timed else [])]
    texts = csv_text(source, names, faults)
    prompt = whole_numbers(texts["num_prefill_tokens"], "num_prefill_tokens", faults)
    output = whole_numbers(texts["num_decode_tokens"], "num_decode_tokens", faults)
    time_s = decimals(texts["arrived_at"], "arrived_at", faults) if timed else np.zeros(len(prompt))
    record = source.provenance("vidur") | {
        "arrivals": "as in the file" if timed else "none in the file: all at 0"
    }
    return assemble(Rows(time_s, prompt, output), faults, record)
