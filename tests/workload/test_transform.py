from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from workload_strategies import workloads

from simulator.errors import InputError
from simulator.workload.columns import Workload, workload
from simulator.workload.transform import fit_model, limit, rate_scale, window


@given(workloads(), st.floats(0.01, 100))
def test_rate_scale_divides_time_and_nothing_else(load: Workload, factor: float) -> None:
    scaled = rate_scale(load, factor)
    scaled.validate()
    np.testing.assert_allclose(scaled.arrival_s, load.arrival_s / factor, rtol=0, atol=2**-29)
    assert scaled.prompt_tokens is load.prompt_tokens
    assert scaled.think_s is load.think_s


@given(workloads())
def test_rate_scale_of_one_changes_nothing(load: Workload) -> None:
    assert rate_scale(load, 1.0) is load


def test_stretching_beyond_the_time_grid_is_refused() -> None:
    with pytest.raises(InputError, match="116 days"):
        rate_scale(workload([0, 1000], [1, 1], [1, 1]), 1e-4)


@given(workloads(), st.integers(1, 40))
def test_limit_takes_the_first_rows(load: Workload, rows: int) -> None:
    part = limit(load, rows)
    part.validate()
    assert len(part) == min(rows, len(load))
    assert part.output_tokens.tolist() == load.output_tokens[:rows].tolist()


@given(workloads(), st.floats(0, 1000), st.floats(0, 1000))
def test_window_begins_its_clock_at_its_start(load: Workload, one: float, other: float) -> None:
    start, end = sorted((one, other))
    part = window(load, start, end)
    part.validate()
    inside = (load.arrival_s >= start) & (load.arrival_s < end)
    assert part.prompt_tokens.tolist() == load.prompt_tokens[inside].tolist()
    np.testing.assert_allclose(part.arrival_s, load.arrival_s[inside] - start, atol=2**-28)


def over_limit() -> Workload:
    segments = {
        "segment_offset": [0, 2, 3, 4],
        "segment_id": [1, 2, 1, 3],
        "segment_tokens": [60, 40, 50, 120],
    }
    return workload([0, 1, 2], [100, 50, 120], [20, 10, 90], **segments)


def test_requests_over_the_limit_are_refused_by_count_and_name() -> None:
    with pytest.raises(InputError) as caught:
        fit_model(over_limit(), 110, "error")
    text = str(caught.value)
    assert "2 of 3 requests exceed max_model_len 110" in text
    assert "row 0 (100 + 20 tokens), row 2 (120 + 90 tokens)" in text
    assert "over_limit: drop" in text


def test_requests_over_the_limit_are_dropped_when_asked() -> None:
    kept = fit_model(over_limit(), 110, "drop")
    kept.validate()
    assert kept.prompt_tokens.tolist() == [50]
    assert kept.provenance["transformations"] == [{"over_limit_dropped": 2}]


def test_clipping_shortens_prompts_from_their_end_and_keeps_answers() -> None:
    clipped = fit_model(over_limit(), 110, "clip")
    clipped.validate()
    assert clipped.prompt_tokens.tolist() == [90, 50, 20]
    assert clipped.output_tokens.tolist() == [20, 10, 90]
    assert clipped.segment_tokens.tolist() == [60, 30, 50, 20]
    assert clipped.provenance["transformations"] == [{"over_limit_clipped": 2}]


def test_an_answer_is_clipped_only_when_it_alone_is_too_long() -> None:
    clipped = fit_model(over_limit(), 80, "clip")
    assert clipped.prompt_tokens.tolist() == [60, 50, 1]
    assert clipped.output_tokens.tolist() == [20, 10, 79]


@given(workloads(), st.integers(2, 400))
def test_what_is_clipped_or_kept_fits_the_model(load: Workload, max_model_len: int) -> None:
    for policy in ("clip", "drop"):
        fitting = fit_model(load, max_model_len, policy)
        fitting.validate()
        assert np.all(fitting.prompt_tokens + fitting.max_tokens <= max_model_len)


def test_lengths_within_the_limit_are_law() -> None:
    load = over_limit()
    assert fit_model(load, 1000, "error") is load
