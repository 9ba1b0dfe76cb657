"""Azure's public LLM inference traces: CSV of 2023 (no zone, 100 ns), 2024 (with offset) and multimodal 2025.

TIMESTAMP,ContextTokens,GeneratedTokens; 2025 has NumImages too, and doesn't say whether ContextTokens
includes image tokens: they are taken as they stand. github.com/Azure/AzurePublicDataset.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.arrow import values
from simulator.workload.columns import Workload
from simulator.workload.reading import Faults, Rows, Source, assemble
from simulator.workload.table import csv_text, header, parsed, whole_numbers

UNKNOWN = np.iinfo(np.int64).max
_ZONED = re.compile(rb"(?:[+-]\d\d:?\d\d|Z)\s*,")


@dataclass(frozen=True, slots=True)
class Options:
    """None: the files say all."""


def sniff(head: bytes) -> bool:
    return {"timestamp", "contexttokens", "generatedtokens"} <= set(header(head))


def read(source: Source, options: Options, faults: Faults) -> Workload:
    """Requests of one file. Raises InputError for bad rows, unless they are to be skipped."""
    names = header(source.head)
    images = ["numimages"] if "numimages" in names else []
    texts = csv_text(source, ["timestamp", "contexttokens", "generatedtokens", *images], faults)
    zoned = bool(_ZONED.search(source.head))
    moments = _nanoseconds(texts["timestamp"], zoned, faults)
    prompt = whole_numbers(texts["contexttokens"], "ContextTokens", faults)
    output = whole_numbers(texts["generatedtokens"], "GeneratedTokens", faults)
    record = source.provenance("azure") | {"variant": "2025" if images else "2024" if zoned else "2023"}
    if images:
        record["images"] = int(whole_numbers(texts["numimages"], "NumImages", faults).sum())
    known = moments[moments != UNKNOWN]
    origin = int(known.min()) if len(known) else 0
    record |= {"first_arrival": str(np.datetime64(origin, "ns")), "zone": "UTC" if zoned else "none stated"}
    return assemble(Rows((moments - origin) / 1e9, prompt, output), faults, record)


def _nanoseconds(texts: Any, zoned: bool, faults: Faults) -> npt.NDArray[np.int64]:
    """Since 1970 by the zone stated, else by whatever clock wrote them: only differences are used."""
    import pyarrow as pa

    shape = "2024-05-10 00:00:00.009930+00:00" if zoned else "2023-11-16 18:15:46.6805900"
    times = parsed(
        texts, pa.timestamp("ns", "UTC" if zoned else None), "TIMESTAMP", f"a time as {shape}", faults
    )
    return values(times.view(pa.int64()), UNKNOWN)
