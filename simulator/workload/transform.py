"""Workloads from workloads: faster or slower, a part of one, another like it, and one that fits a model."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import InputError, Problem
from simulator.units import MAX_TIME_S, on_grid
from simulator.workload.columns import Workload, snapped

SHOWN = 5
"""How many rows a message names."""


def noted(load: Workload, name: str, value: Any) -> Workload:
    """The workload with one more line in the list of what was done to it."""
    done = [*load.provenance.get("transformations", []), {name: value}]
    return replace(load, provenance=load.provenance | {"transformations": done})


def rate_scale(load: Workload, factor: float) -> Workload:
    """Arrivals `factor` times as dense: arrival times divided by it, think times left as they are."""
    assert factor > 0, factor
    if factor == 1:
        return load
    arrival = load.arrival_s / factor
    if len(load) and arrival[-1] >= MAX_TIME_S:
        days = arrival[-1] / 86400
        raise InputError(
            Problem("workload.rate_scale", f"stretches the arrivals to {days:.0f} days", "under 97 days")
        )
    return noted(replace(load, arrival_s=snapped(arrival)), "rate_scale", factor)


def limit(load: Workload, rows: int) -> Workload:
    """The first `rows` requests."""
    return load if rows >= len(load) else noted(load.slice(slice(0, rows)), "limit", rows)


def window(load: Workload, start_s: float, end_s: float) -> Workload:
    """The requests that arrive in [start_s, end_s), their clock begun at start_s."""
    first, last = np.searchsorted(load.arrival_s, (start_s, end_s), side="left")
    part = load.slice(slice(int(first), int(last)))
    part = replace(part, arrival_s=np.maximum(part.arrival_s - on_grid(start_s), 0.0))
    return noted(part, "slice_s", [start_s, None if math.isinf(end_s) else end_s])


def fit_model(load: Workload, max_model_len: int, policy: str) -> Workload:
    """Requests whose prompt and output exceed `max_model_len` tokens are refused (`error`), left out, or cut.

    `drop` leaves them out. `clip` shortens the end of the prompt so far that the answer fits, keeping one
    token of it, and only then the answer. Raises InputError with how many there are and which come first, if
    the policy is `error`.
    """
    total = load.prompt_tokens.astype(np.int64) + load.output_tokens
    over = np.flatnonzero(total > max_model_len)
    if not len(over):
        return _cap(load, max_model_len)
    if policy == "error":
        raise InputError(_over_limit(load, over, max_model_len))
    if policy == "drop":
        kept = load.slice(np.delete(np.arange(len(load)), over))
        return _cap(noted(kept, "over_limit_dropped", len(over)), max_model_len)
    return _cap(noted(_clipped(load, over, max_model_len), "over_limit_clipped", len(over)), max_model_len)


def _cap(load: Workload, max_model_len: int) -> Workload:
    """No engine lets an answer grow beyond the model's length: max_tokens ends there."""
    room = max_model_len - load.prompt_tokens
    if not np.any(load.max_tokens > room):
        return load
    return replace(load, max_tokens=np.minimum(load.max_tokens, room))


def _over_limit(load: Workload, over: npt.NDArray[np.intp], max_model_len: int) -> Problem:
    rows = ", ".join(
        f"row {row} ({load.prompt_tokens[row]} + {load.output_tokens[row]} tokens)" for row in over[:SHOWN]
    )
    more = ", …" if len(over) > SHOWN else ""
    what = f"{len(over)} of {len(load)} requests exceed max_model_len {max_model_len}: {rows}{more}"
    return Problem(
        "workload",
        what,
        hint="workload: {over_limit: drop} leaves them out, {over_limit: clip} shortens them",
    )


def _clipped(load: Workload, over: npt.NDArray[np.intp], max_model_len: int) -> Workload:
    prompt, output = load.prompt_tokens.copy(), load.output_tokens.copy()
    output[over] = np.minimum(output[over], max_model_len - 1)
    prompt[over] = np.minimum(prompt[over], max_model_len - output[over])
    limits = np.maximum(np.minimum(load.max_tokens, max_model_len - prompt), output)
    cut = replace(load, prompt_tokens=prompt, output_tokens=output, max_tokens=limits.astype(np.int32))
    return _segments_cut(cut)


def _segments_cut(load: Workload) -> Workload:
    """Segments shortened from the end until they sum to the prompt."""
    if not len(load.segment_id):
        return load
    counts = np.diff(load.segment_offset)
    row = np.repeat(np.arange(len(load)), counts)
    ends = np.cumsum(load.segment_tokens, dtype=np.int64)
    before = np.concatenate(([0], ends))[load.segment_offset[:-1]]
    room = load.prompt_tokens[row] - (ends - load.segment_tokens - before[row])
    tokens = np.clip(room, 0, load.segment_tokens)
    kept = tokens > 0
    offset = np.concatenate(([0], np.cumsum(np.bincount(row[kept], minlength=len(load)))))
    return replace(
        load,
        segment_offset=offset.astype(np.int64),
        segment_id=load.segment_id[kept],
        segment_tokens=tokens[kept].astype(np.int32),
    )
