from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from workload_strategies import workloads

from simulator.errors import InputError
from simulator.workload.columns import Workload, workload
from simulator.workload.formats.parquet import arrow, write
from simulator.workload.reading import read_trace


@given(workloads())
def test_what_is_written_is_read_bit_for_bit(load: Workload) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.parquet"
        write(replace(load, provenance={"source": "here", "sha256": "ab"}), path)
        again = read_trace(path)
        assert again == load
        assert again.provenance["origin"] == {"source": "here", "sha256": "ab"}
        first = path.read_bytes()
        write(replace(load, provenance={"source": "here", "sha256": "ab"}), path)
        assert path.read_bytes() == first


def small() -> Workload:
    return workload([0.5, 1.0], [10, 20], [1, 2])


def test_columns_that_say_nothing_are_left_out(tmp_path: Path) -> None:
    assert arrow(small()).column_names == ["arrival_s", "prompt_tokens", "output_tokens"]
    closed = replace(small(), max_tokens=np.array([1, 5], np.int32))
    assert arrow(closed).column_names == ["arrival_s", "prompt_tokens", "output_tokens", "max_tokens"]


def test_the_clock_of_a_file_in_order_is_kept(tmp_path: Path) -> None:
    write(small(), tmp_path / "t.parquet")
    assert read_trace(tmp_path / "t.parquet").arrival_s.tolist() == [0.5, 1.0]


def table(**columns: object) -> pa.Table:
    return pa.table({"arrival_s": [2.0, 1.0], "prompt_tokens": [5, 6], "output_tokens": [1, 2]} | columns)


def test_a_users_own_table_is_read_with_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(table(model=["a", "b"]), path)
    load = read_trace(path)
    load.validate()
    assert load.arrival_s.tolist() == [0, 1]
    assert load.prompt_tokens.tolist() == [6, 5]
    assert load.provenance["counts"]["out_of_order_rows_sorted"] == 1


def test_rows_that_no_engine_could_serve_are_counted_out(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(table(arrival_s=[0.0, 1.0], output_tokens=[0, 2]), path)
    load = read_trace(path)
    assert len(load) == 1
    assert load.provenance["counts"]["zero_output_rows_dropped"] == 1


def test_a_runs_requests_are_one_replication(tmp_path: Path) -> None:
    path = tmp_path / "requests.parquet"
    columns = {
        "arrival_s": [0.25, 0.5, 0.75, 1.0],
        "prompt_tokens": [1, 2, 3, 4],
        "output_tokens": [1, 1, 1, 1],
        "think_s": [None, None, None, 2.5],
        "session": [None, None, 0, 0],
        "turn": [None, None, 0, 1],
        "replication": [0, 0, 1, 1],
        "ttft_s": [0.1, 0.1, 0.1, None],
    }
    pq.write_table(pa.table(columns), path)
    assert read_trace(path).prompt_tokens.tolist() == [1, 2]
    assert np.isnan(read_trace(path).think_s).all()
    assert read_trace(path, options={"replication": 1}).prompt_tokens.tolist() == [3, 4]
    with pytest.raises(InputError, match="no replication 2; allowed: 0, 1"):
        read_trace(path, options={"replication": 2})


def refused(path: Path, content: pa.Table) -> str:
    pq.write_table(content, path)
    with pytest.raises(InputError) as caught:
        read_trace(path)
    return str(caught.value)


def test_what_is_wrong_with_a_table_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    assert "no column 'output_tokens'; allowed: arrival_s" in refused(
        path, table().drop_columns("output_tokens")
    )
    assert "column prompt_tokens has 1 nulls" in refused(path, table(prompt_tokens=[1, None]))
    assert "row 2: arrival_s is nan" in refused(path, table(arrival_s=[1.0, float("nan")]))
    assert "row 2: prompt_tokens is -7" in refused(path, table(prompt_tokens=[3, -7]))
    assert "column arrival_s is string, no double" in refused(path, table(arrival_s=["a", "b"]))
    assert "row 0: segments of 3 tokens in a prompt of 5" in refused(
        path, table(arrival_s=[0.0, 1.0], segment_id=[[1], []], segment_tokens=[[3], []])
    )
    uneven = table(arrival_s=[0.0, 1.0], segment_id=[[1], [2]], segment_tokens=[[5], []])
    assert "differ in length" in refused(path, uneven)
    newer = table().replace_schema_metadata({"sim.workload": '{"schema": 2}'})
    assert "written with schema 2; allowed: schema 1" in refused(path, newer)
