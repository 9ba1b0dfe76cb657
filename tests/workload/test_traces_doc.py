"""docs/traces.md: what it shows works, and it tells all there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator import plugins
from simulator.workload import parse
from simulator.workload.columns import DTYPES, RAGGED
from simulator.workload.reading import read_trace

TEXT = (Path(__file__).parents[2] / "docs" / "traces.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_example_of_a_format_is_one(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(EXAMPLES[0])
    (tmp_path / "trace.txt").write_text("when;prompt;output\n3;10;2\n5;11;4\n")
    load = read_trace(tmp_path / "trace.txt", str(tmp_path / "mine.py"))
    assert load.arrival_s.tolist() == [0, 2]
    assert load.prompt_tokens.tolist() == [10, 11]


def test_the_example_of_writing_a_trace_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(EXAMPLES[1], {})
    assert read_trace("mine.parquet").output_tokens.tolist() == [200, 150]


def test_every_format_kind_and_column_is_told() -> None:
    columns = [name for name in DTYPES if name not in RAGGED] + ["segment_id", "segment_tokens"]
    kinds = [*parse.ARRIVALS, *parse.LENGTHS, *parse.PREFIXES]
    for name in [*plugins.names("formats"), *columns, *kinds]:
        assert f"`{name}`" in TEXT, name
