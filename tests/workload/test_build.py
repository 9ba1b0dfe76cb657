from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.errors import InputError
from simulator.scenario.resolved import WorkloadSpec
from simulator.workload.build import build
from simulator.workload.columns import workload
from simulator.workload.formats.parquet import write

SYNTHETIC = {
    "requests": 100,
    "arrivals": {"kind": "poisson", "rate": "2 /s"},
    "prompt": {"kind": "constant", "tokens": 10},
    "output": {"kind": "uniform", "min": 1, "max": 9},
}


def spec(**changes: Any) -> WorkloadSpec:
    nothing = {"trace": None, "format": None, "format_options": {}, "synthetic": None, "limit": None}
    usual = {"rate_scale": 1.0, "over_limit": "error", "skip_bad_rows": False}
    return WorkloadSpec(**(nothing | usual | changes))


@pytest.fixture
def trace(tmp_path: Path) -> str:
    path = tmp_path / "t.parquet"
    write(workload(np.arange(100), np.arange(100) + 1, np.full(100, 5)), path)
    return str(path)


def test_the_first_replication_of_a_trace_is_the_trace(trace: str) -> None:
    load = build(spec(trace=trace), 7, 0, 1000)
    assert load == workload(np.arange(100), np.arange(100) + 1, np.full(100, 5))


def test_further_replications_resample_it(trace: str) -> None:
    one, two = (build(spec(trace=trace), 7, replication, 1000) for replication in (1, 2))
    assert one != two
    assert one == build(spec(trace=trace), 7, 1, 1000)
    assert one.provenance["transformations"] == [{"bootstrap": {"blocks": 50, "replication": 1}}]


def test_one_session_is_no_sample_to_draw_replications_from(tmp_path: Path) -> None:
    """All would be equal, and their interval would have no width."""
    path = str(tmp_path / "one.parquet")
    write(workload(np.arange(9), np.ones(9), np.ones(9), session=np.zeros(9), turn=np.arange(9)), path)
    assert len(build(spec(trace=path), 7, 0, 1000)) == 9
    with pytest.raises(InputError, match="the trace is one session"):
        build(spec(trace=path), 7, 1, 1000)


def test_slice_then_limit_then_scale(trace: str) -> None:
    load = build(spec(trace=trace, slice_s=(10.0, 50.0), limit=3, rate_scale=2.0), 7, 0, 1000)
    assert load.arrival_s.tolist() == [0, 0.5, 1]
    assert load.prompt_tokens.tolist() == [11, 12, 13]
    assert load.provenance["transformations"] == [
        {"slice_s": [10.0, 50.0]},
        {"limit": 3},
        {"rate_scale": 2.0},
    ]


def test_an_empty_slice_is_refused(trace: str) -> None:
    with pytest.raises(InputError, match="no request is left"):
        build(spec(trace=trace, slice_s=(1000.0, float("inf"))), 7, 0, 1000)


def test_arrivals_beyond_the_time_grid_are_refused() -> None:
    rare = SYNTHETIC | {"arrivals": {"kind": "poisson", "rate": 1e-9}}
    with pytest.raises(InputError, match="days; allowed: under 97 days"):
        build(spec(synthetic=rare), 1, 0, 10_000)


def test_requests_over_the_limit(trace: str) -> None:
    with pytest.raises(InputError, match="5 of 100 requests exceed max_model_len 100: row 95 "):
        build(spec(trace=trace), 7, 0, 100)
    assert len(build(spec(trace=trace, over_limit="drop"), 7, 0, 100)) == 95
    assert len(build(spec(trace=trace, over_limit="clip"), 7, 0, 100)) == 100


def test_synthetic_replications_are_other_draws() -> None:
    first, second = (build(spec(synthetic=SYNTHETIC), 7, replication, 100) for replication in (0, 1))
    assert first != second
    assert len(build(spec(synthetic=SYNTHETIC, limit=5), 7, 0, 100)) == 5
    assert build(spec(synthetic=SYNTHETIC, limit=5), 7, 0, 100) == first.slice(slice(0, 5))


def test_a_named_workload_and_lengths_of_a_trace(trace: str) -> None:
    assert len(build(spec(synthetic={"name": "chat", "requests": 10}), 7, 0, 100_000)) == 10
    drawn = SYNTHETIC | {"prompt": {"kind": "empirical", "trace": trace}}
    assert build(spec(synthetic=drawn), 7, 0, 1000).prompt_tokens.max() > 50


def test_more_requests_than_memory_holds_are_refused_at_once() -> None:
    many = {**SYNTHETIC, "requests": 2_000_000_000}
    with pytest.raises(InputError, match=r"2,000,000,000 requests take 1,800 GB; allowed: up to [\d,]+ on"):
        build(spec(synthetic=many), 0, 0, 1000)
    assert len(build(spec(synthetic=many, limit=10), 0, 0, 1000)) == 10
