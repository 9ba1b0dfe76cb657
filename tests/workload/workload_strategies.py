"""Random workloads for the properties."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import strategies as st

from simulator.workload.columns import Workload, turns_of, workload


@st.composite
def workloads(draw: st.DrawFn, max_rows: int = 30) -> Workload:
    """Any valid workload: open or closed loop, with or without segments, whose ids are few and so shared."""
    n = draw(st.integers(1, max_rows))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    session = rng.integers(-1, 4, n)
    begin = np.sort(rng.random(n) * 1000)
    closed = draw(st.booleans())
    arrival = begin
    columns: dict[str, Any] = {}
    if closed:
        arrival = np.where(session < 0, begin, begin[session % n])
        order = np.argsort(arrival, kind="stable")
        arrival, session = arrival[order], session[order]
        turn = turns_of(session)
        columns["think_s"] = np.where(turn > 0, rng.random(n), np.nan)
    columns |= {"session": session, "turn": turns_of(session)}
    output = rng.integers(1, 50, n)
    prompt, segments = _prompts(rng, n, draw(st.booleans()))
    columns |= segments | {"max_tokens": output + rng.integers(0, 3, n)}
    columns |= {"tenant": rng.integers(0, 3, n), "priority": rng.integers(-1, 2, n)}
    return workload(arrival, prompt, output, **columns)


def _prompts(rng: np.random.Generator, n: int, shared: bool) -> tuple[Any, dict[str, Any]]:
    if not shared:
        return rng.integers(1, 300, n), {}
    counts = rng.integers(0, 4, n)
    offset = np.concatenate(([0], np.cumsum(counts)))
    tokens = rng.integers(1, 40, offset[-1])
    sums = np.array([tokens[a:b].sum() for a, b in itertools.pairwise(offset)])
    prompt = np.where(counts > 0, sums, rng.integers(1, 300, n))
    ids = rng.integers(1, 6, offset[-1]) + np.where(rng.random(offset[-1]) < 0.3, 2**63, 0).astype(np.uint64)
    segments = {"segment_offset": offset, "segment_id": ids.astype(np.uint64), "segment_tokens": tokens}
    return prompt, segments | {"output_segment": rng.integers(0, 9, n)}
