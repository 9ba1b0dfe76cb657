from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from workload_strategies import workloads

from simulator.workload.columns import Workload, turns_of, workload


def three() -> Workload:
    return workload([0, 1, 2.5], [10, 20, 30], [1, 2, 3])


def test_the_rest_of_the_columns_gets_defaults() -> None:
    load = three()
    load.validate()
    assert len(load) == 3
    assert load.max_tokens.tolist() == [1, 2, 3]
    assert load.session.tolist() == load.turn.tolist() == [-1, -1, -1]
    assert load.segment_offset.tolist() == [0, 0, 0, 0]
    assert np.isnan(load.think_s).all()


def test_arrivals_lie_on_the_grid() -> None:
    load = workload([0.1], [1], [1])
    assert load.arrival_s[0] * 2**28 == round(0.1 * 2**28)


def test_equal_columns_are_equal_whatever_their_provenance() -> None:
    assert three() == replace(three(), provenance={"source": "elsewhere"})
    assert three() != three().slice(slice(0, 2))
    assert three() != workload([0, 1, 2.5], [10, 20, 31], [1, 2, 3])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arrival_s": np.array([0.0, 2.0, 1.0])}, "go back at row 2"),
        ({"arrival_s": np.array([-1.0, 0.0, 1.0])}, "arrivals from -1"),
        ({"arrival_s": np.array([0.0, 1.0, 97 * 86400.0])}, "arrivals from"),
        ({"arrival_s": np.array([0.0, 0.1, 0.2])}, "off the time grid"),
        ({"prompt_tokens": np.array([1, 0, 1], np.int32)}, "prompt_tokens under 1 in row 1"),
        ({"prompt_tokens": np.array([1, 1, 1])}, "prompt_tokens is int64"),
        ({"max_tokens": np.array([1, 1, 3], np.int32)}, "max_tokens under"),
        ({"output_segment": np.zeros(2, np.uint64)}, "output_segment has 2 rows"),
        ({"session": np.zeros(3, np.int32)}, "a session without turn"),
        ({"segment_offset": np.array([0, 1, 1, 1])}, "1 segments expected"),
    ],
)
def test_a_broken_invariant_is_named(change: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        replace(three(), **change).validate()


def test_segments_must_sum_to_the_prompt() -> None:
    segments = {"segment_offset": [0, 2, 2], "segment_id": [7, 8], "segment_tokens": [4, 5]}
    workload([0, 1], [9, 3], [1, 1], **segments).validate()
    with pytest.raises(AssertionError, match="row 0: segments of 9 tokens in a prompt of 8"):
        workload([0, 1], [8, 3], [1, 1], **segments).validate()


def test_turns_count_up_in_each_session() -> None:
    assert turns_of(np.array([3, -1, 3, 0, 3, -1, 0])).tolist() == [0, -1, 1, 0, 2, -1, 1]


def test_a_turn_whose_predecessor_is_left_out_waits_for_nobody() -> None:
    load = workload(
        [0, 0, 0], [1, 2, 3], [1, 1, 1], session=[0, 0, 0], turn=[0, 1, 2], think_s=[np.nan, 5, 6]
    )
    rest = load.slice(np.array([1, 2]))
    rest.validate()
    assert np.isnan(rest.think_s[0])
    assert rest.think_s[1] == 6


def test_think_time_needs_a_previous_turn() -> None:
    with pytest.raises(AssertionError, match="first row of a session"):
        workload([0], [1], [1], session=[0], turn=[0], think_s=[1.0]).validate()


@given(workloads(), st.data())
def test_any_slice_of_a_workload_is_one(load: Workload, data: st.DataObject) -> None:
    load.validate()
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(load), max_size=len(load))))
    part = load.slice(mask)
    part.validate()
    assert part.prompt_tokens.tolist() == load.prompt_tokens[mask].tolist()
    for new, old in enumerate(np.flatnonzero(mask)):
        ours = slice(*part.segment_offset[new : new + 2])
        theirs = slice(*load.segment_offset[old : old + 2])
        assert part.segment_id[ours].tolist() == load.segment_id[theirs].tolist()
        assert part.segment_tokens[ours].tolist() == load.segment_tokens[theirs].tolist()


def test_a_million_rows_cost_little_memory() -> None:
    n = 1_000_000
    ones = np.ones(n, np.int32)
    load = workload(np.zeros(n), ones, ones)
    owned = {name: getattr(load, name) for name in ("session", "turn", "tenant", "priority", "think_s")}
    assert all(column.strides == (0,) for column in owned.values()), "a constant column is one number"
