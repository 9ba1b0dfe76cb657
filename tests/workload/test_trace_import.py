"""`sim trace import`, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.cli import execute
from simulator.workload.reading import read_trace

ROWS = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\n2023-11-16 18:15:50.99,396,0\n"
)


def test_import_prints_what_to_check_and_what_was_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text(ROWS)
    out = tmp_path / "new" / "a.parquet"
    said = ["--source", "somewhere @ 1234", "--licence", "CC-BY-4.0", "--cite", "They, 2023"]
    assert execute(["trace", "import", str(tmp_path / "a.csv"), "--out", str(out), *said]) == 0
    printed = capsys.readouterr().out
    assert "prompt tokens     374\n" in printed
    assert "1 zero output rows dropped" in printed
    origin = read_trace(out).provenance["origin"]
    assert (origin["source"], origin["licence"], origin["cite"]) == (
        "somewhere @ 1234",
        "CC-BY-4.0",
        "They, 2023",
    )
    assert origin["counts"]["rows"] == 2


def test_import_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"timestamp": 5, "input_length": 40, "output_length": 3, "hash_ids": [1, 2, 3]}'
    )
    out = tmp_path / "a.parquet"
    arguments = [str(tmp_path / "a.jsonl"), "--out", str(out), "--option", "block_size=16", "--json"]
    assert execute(["trace", "import", *arguments]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == 1
    assert told["provenance"]["block_size"] == 16
    assert told["bytes"] == out.stat().st_size


def test_bad_rows_end_with_2_and_the_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text(ROWS + "x,1,1\n")
    arguments = ["trace", "import", str(tmp_path / "a.csv"), "--out", str(tmp_path / "a.parquet")]
    assert execute(arguments) == 2
    told = capsys.readouterr().err
    assert "a.csv:row 3" in told
    assert "--skip-bad-rows" in told
    assert not (tmp_path / "a.parquet").exists()
    assert execute([*arguments, "--skip-bad-rows", "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_an_option_needs_a_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text(ROWS)
    arguments = [str(tmp_path / "a.csv"), "--out", str(tmp_path / "b"), "--option", "block_size"]
    assert execute(["trace", "import", *arguments]) == 2
    assert "KEY=VALUE" in capsys.readouterr().err
