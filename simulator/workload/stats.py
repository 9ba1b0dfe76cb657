"""What a workload is like: sums, percentiles, burstiness, and what an unlimited prefix cache would save."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.workload.columns import Workload

DISPERSION_WINDOWS_S = (1, 10, 60)


def describe(load: Workload) -> dict[str, Any]:
    """Rows, token sums, lengths, duration (first to last arrival), rate, burstiness; None: too few rows."""
    arrival = load.arrival_s
    duration = float(arrival[-1] - arrival[0]) if len(load) else 0.0
    return {
        "rows": len(load),
        "prompt_tokens_sum": int(load.prompt_tokens.sum(dtype=np.int64)),
        "output_tokens_sum": int(load.output_tokens.sum(dtype=np.int64)),
        "duration_s": duration,
        "mean_rate_per_s": (len(load) - 1) / duration if duration else None,
        "prompt_tokens": _lengths(load.prompt_tokens),
        "output_tokens": _lengths(load.output_tokens),
        "interarrival_cv": _gap_cv(arrival),
        "index_of_dispersion": {f"{w}s": index_of_dispersion(arrival, w) for w in DISPERSION_WINDOWS_S},
        "sessions": len(np.unique(load.session[load.session >= 0])),
        "requests_with_segments": int(np.count_nonzero(np.diff(load.segment_offset))),
    }


def _lengths(tokens: npt.NDArray[np.int32]) -> dict[str, float] | None:
    """Percentiles by numpy's linear method; std with ddof 0."""
    if not len(tokens):
        return None
    p50, p90, p99 = np.percentile(tokens, (50, 90, 99)).tolist()
    spread = {"mean": float(tokens.mean()), "std": float(tokens.std())}
    return {"p50": p50, "p90": p90, "p99": p99, **spread, "min": int(tokens.min()), "max": int(tokens.max())}


def _gap_cv(arrival: npt.NDArray[np.float64]) -> float | None:
    gaps = np.diff(arrival)
    return float(gaps.std() / gaps.mean()) if len(gaps) and gaps.mean() else None


def index_of_dispersion(arrival: npt.NDArray[np.float64], window_s: float) -> float | None:
    """Variance over mean of the counts in whole windows from the first arrival on; None under two windows.

    1 for a Poisson process; larger for bursts. The last part-window is left out; an arrival on an edge counts
    in the later window.
    """
    windows = int((arrival[-1] - arrival[0]) / window_s) if len(arrival) else 0
    if windows < 2:
        return None
    counts = np.bincount(((arrival - arrival[0]) / window_s).astype(np.int64))[:windows]
    return float(counts.var() / counts.mean())


def prefix_hits(load: Workload, block: int) -> int:
    """Prompt tokens that an unlimited prefix cache of `block`-token blocks serves, requests in their order.

    Whole prompt blocks only; each prompt is inserted before the next is looked up, answers never. A request
    hits at most floor((prompt − 1) / block) blocks, since its last token is always computed
    (vllm/v1/core/kv_cache_manager.py at 003df296).
    """
    known: dict[tuple[int, int, int], _Piece] = {}
    offset, ids, tokens = load.segment_offset.tolist(), load.segment_id.tolist(), load.segment_tokens.tolist()
    hits = 0
    for row, prompt in enumerate(load.prompt_tokens.tolist()):
        begin, end = offset[row], offset[row + 1]
        shared = _insert(known, ids[begin:end], tokens[begin:end])
        hits += min(shared // block, (prompt - 1) // block)
    return hits * block


class _Piece:
    """A segment after one particular way of beginning a prompt. longest: most tokens of it seen there."""

    __slots__ = ("longest", "number")

    def __init__(self, number: int) -> None:
        self.number, self.longest = number, 0


def _insert(known: dict[tuple[int, int, int], _Piece], ids: list[int], tokens: list[int]) -> int:
    """Adds a prompt; how many of its first tokens an earlier prompt began with."""
    shared, agrees, before = 0, True, (0, 0)
    for segment, length in zip(ids, tokens):
        piece = known.get((*before, segment))
        if piece is None:
            piece = known[(*before, segment)] = _Piece(len(known) + 1)
        if agrees:
            shared += min(length, piece.longest)
            agrees = length <= piece.longest
        piece.longest = max(piece.longest, length)
        before = (piece.number, length)
    return shared
