"""What a run pays for at its start: heavy modules load only for what needs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
HEAVY = ("pandas", "scipy", "pydantic", "rich", "pyarrow.compute")
TRACE = "from simulator.workload.reading import read_trace; read_trace({!r})"
POISSON = """
from simulator.workload.parse import parse
from simulator.workload.synthetic import generate
length = {"kind": "lognormal", "mean": 10, "cv": 1}
spec = {"requests": 5, "arrivals": {"kind": "poisson", "rate": 1}, "prompt": length, "output": length}
generate(parse(spec), 7, 0, lambda path: None)
"""


@pytest.mark.parametrize(
    "code",
    [TRACE.format(str(path)) for path in sorted((PROJECT / "traces").glob("*.parquet"))] + [POISSON],
)
def test_shipped_traces_and_plain_workloads_load_nothing_heavy(code: str) -> None:
    shown = f"import sys\n{code}\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    command = [sys.executable, "-c", shown]
    assert subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT).stdout == "[]\n"


def test_text_formats_need_no_pandas(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\n"
    )
    shown = f"import sys\n{TRACE.format(str(tmp_path / 't.csv'))}\nprint('pandas' in sys.modules)"
    command = [sys.executable, "-c", shown]
    assert (
        subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT).stdout == "False\n"
    )
