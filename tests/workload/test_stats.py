from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from workload_strategies import workloads

from simulator.workload.columns import Workload, workload
from simulator.workload.stats import describe, index_of_dispersion, prefix_hits


def naive_prefix_hits(load: Workload, block: int) -> int:
    """Token by token: a prompt is the pairs (segment, place in it), a block the pairs up to its end."""
    known: set[tuple[tuple[int, int], ...]] = set()
    hits = 0
    for row, prompt in enumerate(load.prompt_tokens.tolist()):
        own = slice(*load.segment_offset[row : row + 2])
        pairs = list(zip(load.segment_id[own].tolist(), load.segment_tokens[own].tolist()))
        tokens = [(segment, place) for segment, length in pairs for place in range(length)]
        blocks = [tuple(tokens[: end + block]) for end in range(0, len(tokens) - block + 1, block)]
        hit = next((n for n, one in enumerate(blocks) if one not in known), len(blocks))
        hits += min(hit, (prompt - 1) // block)
        known.update(blocks)
    return hits * block


@given(workloads(max_rows=12), st.integers(1, 40))
def test_prefix_hits_are_those_of_hashing_every_block(load: Workload, block: int) -> None:
    assert prefix_hits(load, block) == naive_prefix_hits(load, block)


def test_the_last_token_of_a_prompt_is_always_computed() -> None:
    twice = {"segment_offset": [0, 1, 2], "segment_id": [5, 5], "segment_tokens": [32, 32]}
    assert prefix_hits(workload([0, 1], [32, 32], [1, 1], **twice), 16) == 16


def test_index_of_dispersion_by_hand() -> None:
    arrival = np.array([0, 0.5, 1.5, 2.0, 2.1, 2.2, 3.0])
    counts = np.array([2, 1, 3])  # whole windows of 1 s; the request at 3 s is in none
    assert index_of_dispersion(arrival, 1) == pytest.approx(counts.var() / counts.mean())
    assert index_of_dispersion(arrival, 2) is None


def test_describe_by_hand() -> None:
    told = describe(workload([0, 1, 3], [10, 20, 60], [1, 1, 4], session=[0, 0, -1], turn=[0, 1, -1]))
    assert told["rows"] == 3
    assert (told["prompt_tokens_sum"], told["output_tokens_sum"]) == (90, 6)
    assert told["mean_rate_per_s"] == pytest.approx(2 / 3)
    assert told["prompt_tokens"]["p50"] == 20
    assert told["interarrival_cv"] == pytest.approx(0.5 / 1.5)
    assert told["sessions"] == 1
