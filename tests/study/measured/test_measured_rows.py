"""Indexes of measured runs and the files that they name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from measured_index import CLOSED, STAGE, row, write, write_requests

from simulator.errors import InputError
from simulator.study.measured.records import records, series
from simulator.study.measured.rows import Lacks, read, runs


def test_an_index_is_recognised_by_its_columns(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("simulator,run\nmine,one\n")
    write(tmp_path, CLOSED)
    (found,) = read([str(tmp_path)])
    assert (found.run, found.set, found.stage) == ("small/one", "small", "all")
    assert found.where.endswith("index.csv:row 1")
    assert read([str(tmp_path / "index.csv")]) == [found]


def test_a_path_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no index of measured runs here"):
        read([str(tmp_path)])
    with pytest.raises(InputError, match="no index of measured runs here"):
        read([str(tmp_path / "missing.csv")])


def test_an_empty_cell_is_unknown_and_no_number_is_said() -> None:
    assert row({"rate_rps": ""}).number("rate_rps") is None
    assert row({}).count("tp") is None
    assert row({"tp": "2.0"}).count("tp") == 2
    for cell in ("many", "nan", "inf"):
        with pytest.raises(Lacks, match="number in rate_rps"):
            row({"rate_rps": cell}).number("rate_rps")


def test_rows_of_a_run_are_its_stages_and_then_the_whole(tmp_path: Path) -> None:
    rows = [STAGE | {"stage": stage} for stage in ("all", 1, 0)]
    found = runs(read([str(write(tmp_path, *rows, CLOSED))]))
    assert [[each.stage for each in run] for run in found] == [["0", "1", "all"], ["all"]]


def test_requests_are_read_in_order_of_arrival_with_the_queueing_lag_added(tmp_path: Path) -> None:
    write_requests(
        tmp_path / "runs/one.csv.gz",
        "arrival_s,prompt_tokens,output_tokens,ttft_s,e2e_s,queued_s",
        "1.5,30,1,0.25,0.25,1.75",
        "0.5,20,5,0.1,0.9,0.5",
    )
    found = records(row(CLOSED | {"per_request_file": "runs/one.csv.gz"}, tmp_path))
    assert found is not None
    np.testing.assert_array_equal(found.arrival_s, [0.5, 1.5])
    np.testing.assert_array_equal(found.prompt_tokens, [20, 30])
    np.testing.assert_allclose(found.ttft_s, [0.1, 0.5])
    np.testing.assert_allclose(found.e2e_s, [0.9, 0.5])
    np.testing.assert_allclose(found.tpot_s, [0.2, np.nan])
    assert found.timed


def test_arrivals_and_lengths_alone_are_not_timed(tmp_path: Path) -> None:
    write_requests(tmp_path / "one.csv.gz", "arrival_s,prompt_tokens,output_tokens", "0,10,10")
    found = records(row(CLOSED | {"per_request_file": "one.csv.gz"}, tmp_path))
    assert found is not None
    assert not found.timed
    assert records(row(CLOSED)) is None


def test_a_file_that_is_missing_is_a_lack(tmp_path: Path) -> None:
    with pytest.raises(Lacks, match="its file of requests"):
        records(row(CLOSED | {"per_request_file": "gone.csv.gz"}, tmp_path))


def test_a_series_is_tokens_of_each_interval(tmp_path: Path) -> None:
    write_requests(tmp_path / "a.csv.gz", "t_s,throughput_tok_per_s", "0,0", "1,100", "3,200")
    found = series(row(CLOSED | {"series_file": "a.csv.gz"}, tmp_path))
    assert found is not None
    np.testing.assert_allclose(found.end_s, [0, 1, 3])
    np.testing.assert_allclose(found.tokens, [0, 100, 400])
    write_requests(tmp_path / "b.csv.gz", "when,what", "0,0")
    with pytest.raises(Lacks, match="columns of time"):
        series(row(CLOSED | {"series_file": "b.csv.gz"}, tmp_path))
