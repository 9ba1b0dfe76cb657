"""A user's own requests: columns in, the same requests simulated, every fault told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import SCENARIO

from simulator import InputError, Scenario, Workload, run
from simulator.workload.reading import read_trace

COLUMNS: dict[str, Any] = {
    "arrival_s": [3.0, 1.0, 2.0],
    "prompt_tokens": [30, 10, 20],
    "output_tokens": [3, 1, 2],
}


def faults(*args: Any) -> list[str]:
    with pytest.raises(InputError) as told:
        Workload.from_columns(*args)
    return [str(problem) for problem in told.value.problems]


@pytest.mark.parametrize("make", [dict, pd.DataFrame, pa.table], ids=["dict", "pandas", "arrow"])
def test_columns_of_any_kind_are_sorted_and_begin_at_zero(make: Any) -> None:
    load = Workload.from_columns(make(COLUMNS)).columns
    assert load.arrival_s.tolist() == [0.0, 1.0, 2.0]
    assert load.prompt_tokens.tolist() == [10, 20, 30]
    assert load.max_tokens.tolist() == load.output_tokens.tolist() == [1, 2, 3]


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_points_in_time_are_seconds_since_the_first(zone: str | None) -> None:
    times = pd.to_datetime(pd.Series([2000, 0, 500]), unit="ms").dt.tz_localize(zone)
    load = Workload.from_columns(pd.DataFrame(COLUMNS | {"arrival_s": times})).columns
    assert load.arrival_s.tolist() == [0.0, 0.5, 2.0]


def test_they_are_what_is_simulated(tmp_path: Path) -> None:
    mine = Workload.from_columns(COLUMNS | {"session": [5, -1, 5], "tenant": [0, 1, 2]})
    scenario = Scenario.load(SCENARIO).with_workload(mine, tmp_path / "mine.parquet")
    assert read_trace(tmp_path / "mine.parquet") == mine.columns == scenario.workload().columns
    result = run(scenario)
    assert result.requests.prompt_tokens.tolist() == [10, 20, 30]
    assert result.requests.turn.tolist() == [-1, 0, 1]
    assert result.summary["requests"]["finished"] == 3
    again = Scenario.load(result.save(tmp_path / "reports") / "scenario.yaml")
    assert again.hash == scenario.hash


def test_equal_pieces_hit_the_prefix_cache(tmp_path: Path) -> None:
    n = 40
    columns = {
        "arrival_s": np.arange(n) * 1.0,
        "prompt_tokens": np.full(n, 1100),
        "output_tokens": np.full(n, 4),
    }
    pieces = [[(1, 1000), (100 + row, 100)] for row in range(n)]
    base = Scenario.load(SCENARIO).with_set("fleet.pools.serve.replicas", 1)
    shared = run(base.with_workload(Workload.from_columns(columns, pieces), tmp_path / "shared.parquet"))
    alone = run(base.with_workload(Workload.from_columns(columns), tmp_path / "alone.parquet"))
    assert alone.requests.hit_tokens.sum() == 0
    assert shared.requests.hit_tokens.tolist() == [0] + [1000 // 16 * 16] * (n - 1)


def test_every_fault_is_told_at_once() -> None:
    wrong = {"arrival_s": [0.0, np.nan, 1.0], "prompt_tokens": [1, 2, 0.5], "output_token": [1, 1, 1]}
    found = faults(wrong)
    assert len(found) == 4
    assert any("output_tokens is missing" in text for text in found)
    assert any("did you mean 'output_tokens'" in text for text in found)
    assert any(text.startswith("arrival_s, row 1: nan is wrong") for text in found)
    assert any(text.startswith("prompt_tokens, row 2: 0.5 is wrong") for text in found)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prompt_tokens": [1, 2]}, "2 rows"),
        ({"prompt_tokens": ["a", "b", "c"]}, "no column of numbers"),
        ({"prompt_tokens": [[1], [2], [3]]}, "2 dimensions"),
        ({"max_tokens": [3, 1, 1]}, "max_tokens, row 2: is under output_tokens"),
        ({"arrival_s": [0.0, 1.0, 1e8]}, "spans 1157 days"),
        ({"arrival_s": [], "prompt_tokens": [], "output_tokens": []}, "no requests"),
        ({"think_s": [np.nan, 1.0, np.nan]}, "think_s, row 1: has no session"),
    ],
)
def test_a_fault_is_told(change: dict[str, Any], said: str) -> None:
    assert said in "\n".join(faults(COLUMNS | change))


def test_pieces_must_add_up() -> None:
    assert "segments, row 1: 9 tokens; allowed: 10" in faults(COLUMNS, [[], [(1, 9)], []])[0]


@given(st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_what_is_taken_out_goes_in_again(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mine = Workload.from_columns(
        {
            "arrival_s": rng.uniform(0, 100, n),
            "prompt_tokens": rng.integers(1, 1000, n),
            "output_tokens": rng.integers(1, 1000, n),
            "session": rng.integers(-1, 3, n),
            "priority": rng.integers(-5, 5, n),
        }
    )
    assert Workload.from_columns(mine.frame).columns == mine.columns
    assert len(mine) == n


def test_what_it_looks_like() -> None:
    mine = Workload.from_columns(COLUMNS)
    assert repr(mine).startswith("<Workload requests: 3, 1 a second on average; prompt tokens: 60")
    assert "<table" in mine._repr_html_()
    assert mine.stats()["rows"] == 3
