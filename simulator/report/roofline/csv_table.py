"""Every step of the study as a row, for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from simulator.study.roofline.steps import Step
from simulator.study.roofline.study import Answer

FIELDS = (
    *("phase", "sequences", "tokens", "context", "ideal_s", "kernel_s", "seconds"),
    *("ideal_tokens_per_s", "tokens_per_s", "flops", "bytes", "intensity", "mfu", "mbu"),
)
HEAD = ("model", "quantization", "kv_cache", "accelerator", "gpus", *FIELDS, "zone", "held")


def as_csv(found: Answer) -> str:
    """Decodes by batch, prefills by length and by prompts; seconds, FLOPs and bytes as the study has them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    fit = found.fit
    same = (fit.model, fit.quantization, fit.kv_cache, fit.accelerator, fit.gpus)
    writer.writerows((*same, *row) for row in _rows(found))
    return text.getvalue()


def _rows(found: Answer) -> Iterator[tuple[Any, ...]]:
    for row in found.curve.rows:
        yield (*_values(row.step), row.zone, row.held)
    for step in (*found.prefills.by_length, *found.prefills.by_prompts[1:]):
        yield (*_values(step), "", "")


def _values(step: Step) -> tuple[Any, ...]:
    return tuple(getattr(step, name) for name in FIELDS)
