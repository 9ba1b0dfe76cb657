"""What must hold after every run: one end each, times in order, tokens and time conserved."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simulator.arrow import values
from simulator.results.columns import codes
from simulator.results.parts import PARTS, WATERFALL
from simulator.results.record import FINISHED, STATES
from simulator.results.timeline import BLOCK_SECOND_UNIT
from simulator.units import GRID_S

Columns = dict[str, NDArray[Any]]

_READ = (
    "sent_s",
    "arrival_s",
    "first_scheduled_s",
    "first_token_s",
    "finish_s",
    *PARTS,
    *WATERFALL[1:],
)
_COUNTS = ("output_tokens", "prompt_tokens", "emitted", "hit_tokens", "preemptions")


def check(requests: pa.Table, timeline: pa.Table) -> dict[str, Any]:
    """Raises AssertionError, with the numbers, where a law is broken; else the figures that show it holds."""
    columns: Columns = {name: values(requests[name]) for name in (*_READ, *_COUNTS, "e2e_s")}
    finished = codes(requests["state"], STATES) == FINISHED
    times_in_order(columns)
    parts_sum(columns)
    tokens = tokens_conserved(columns, finished, timeline)
    return {
        "requests": len(requests),
        "tokens": tokens,
        "little": little(columns),
        **bins_agree(columns, timeline),
    }


def times_in_order(columns: Columns) -> None:
    """arrival ≤ sent ≤ first scheduled ≤ first token ≤ finish, as far as each happened."""
    names = ("arrival_s", "sent_s", "first_scheduled_s", "first_token_s", "finish_s")
    latest = columns[names[0]]
    for before, after in pairwise(names):
        wrong = columns[after] < latest
        row = int(wrong.argmax())
        assert not wrong.any(), f"request {row}: {after} {columns[after][row]} before {before} {latest[row]}"
        latest = np.fmax(latest, columns[after])


def parts_sum(columns: Columns) -> None:
    """The parts are the end-to-end time, to the last bit, the coarse ones and the fine; none is negative."""
    for parts in (PARTS, WATERFALL):
        total: NDArray[np.float64] = np.sum([columns[name] for name in parts], axis=0)
        wrong = (total != columns["e2e_s"]) & ~np.isnan(columns["e2e_s"])
        row = int(wrong.argmax())
        assert not wrong.any(), f"request {row}: {parts} sum to {total[row]}, not {columns['e2e_s'][row]}"
    for name in WATERFALL:
        least = float(np.nanmin(columns[name], initial=0.0))
        assert least >= 0.0, f"{name} of request {int(np.nanargmin(columns[name]))} is {least}"


def tokens_conserved(columns: Columns, finished: NDArray[np.bool_], timeline: pa.Table) -> dict[str, int]:
    """A finished request has emitted its output; what was emitted was computed, once or more."""
    output, emitted = columns["output_tokens"], columns["emitted"]
    wrong = finished & (emitted != output)
    row = int(wrong.argmax())
    assert not wrong.any(), f"request {row} finished with {emitted[row]} of {output[row]} tokens"
    assert (columns["hit_tokens"] <= columns["prompt_tokens"]).all(), "more prefix hits than prompt tokens"
    started = ~np.isnan(columns["first_token_s"])
    owed = int(emitted.sum()) - int(started.sum())
    resumed = int(columns["preemptions"].sum())
    computed = int(values(timeline["decode_tokens"]).sum())
    assert owed <= computed + resumed, (
        f"{owed} tokens after first ones, {computed} decoded, {resumed} resumed"
    )
    once = started & (columns["preemptions"] == 0)  # the others may have hit more when they came back
    prompts = int((columns["prompt_tokens"] - columns["hit_tokens"])[once].sum(dtype=np.int64))
    prefilled = int(values(timeline["prefill_tokens"]).sum())
    assert prompts <= prefilled, f"{prompts} prompt tokens not in the cache, {prefilled} prefilled"
    asked = int(columns["prompt_tokens"].sum(dtype=np.int64))
    return {"prompts": asked, "emitted": int(emitted.sum()), "decoded": computed, "prefilled": prefilled}


def little(columns: Columns) -> dict[str, float]:
    """Little's law in finite form, exact on the time grid: ∫ N(t) dt over all that ended = Σ their times."""
    ended = ~np.isnan(columns["finish_s"])
    sent, finish = (
        np.rint(columns[name][ended] / GRID_S).astype(np.int64) for name in ("sent_s", "finish_s")
    )
    if not len(sent):
        return {"in_system": 0.0, "rate_per_s": 0.0, "time_s": 0.0}
    sent.sort()
    finish.sort()
    instants = np.sort(np.concatenate([sent, finish]), kind="stable")
    inside = np.searchsorted(sent, instants, side="right") - np.searchsorted(finish, instants, side="right")
    area = _exact_sum(inside[:-1] * np.diff(instants))
    spent = _exact_sum(np.rint(columns["e2e_s"][ended] / GRID_S).astype(np.int64))
    assert area == spent, f"Little's law: {area} request-units in the system, {spent} spent by requests"
    window = max(int(instants[-1] - instants[0]), 1)
    n = len(sent)
    return {"in_system": area / window, "rate_per_s": n / (window * GRID_S), "time_s": spent * GRID_S / n}


def bins_agree(columns: Columns, timeline: pa.Table) -> dict[str, float]:
    """No replica is busy longer than a bin lasts or holds more blocks than it has."""
    busy = float(np.nanmax(values(timeline["busy"]), initial=0.0))
    assert busy <= 1.0, f"a replica was busy for {busy} of a time bin: steps overlap"
    used, steps, width = (values(timeline[name]) for name in ("kv_use", "steps", "width_s"))
    # block-seconds are whole units: each step that touches a bin is rounded where it begins and where it ends
    over = used - 1.0 - 2 * (steps + 2) * BLOCK_SECOND_UNIT / width
    assert not (over > 0.0).any(), f"a replica used {np.nanmax(used)} of its KV blocks"
    return {"busiest_bin": busy}


def _exact_sum(values: NDArray[np.int64]) -> int:
    """Without overflow: the sums of high and low halves."""
    return (int((values >> 32).sum()) << 32) + int((values & 0xFFFFFFFF).sum())
