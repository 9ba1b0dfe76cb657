"""Runs and comparisons in Python: the bytes of the command line, as frames."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from runs import SCENARIO

from simulator import Comparison, InputError, Result, Scenario, cli, compare, errors, run

ROOT = Path(__file__).parents[2]
SMALL = {"workload.synthetic.requests": 400}
SETS = ["--set", "workload.synthetic.requests=400"]


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def small() -> Scenario:
    return Scenario.load(SCENARIO).with_set(SMALL)


@pytest.fixture(scope="module")
def result(small: Scenario) -> Result:
    return run(small, steps=True)


@pytest.fixture(scope="module")
def comparison(small: Scenario) -> Comparison:
    return compare(small, small.with_set({"name": "<four>", "fleet.pools.serve.replicas": 4}), replications=3)


@pytest.mark.parametrize("replications", [None, 2])
def test_the_folder_is_that_of_the_command_line(
    small: Scenario, tmp_path: Path, replications: int | None
) -> None:
    more = [] if replications is None else ["--replications", str(replications)]
    said = ["run", str(SCENARIO), *SETS, "--steps", "--quiet", "--out", str(tmp_path / "a"), *more]
    assert cli.execute(said) == errors.OK
    ours = run(small, steps=True, replications=replications).save(tmp_path / "b")
    (theirs,) = (tmp_path / "a").iterdir()
    assert ours.name == theirs.name
    assert contents(ours) == contents(theirs)


def test_a_comparison_is_that_of_the_command_line(tmp_path: Path) -> None:
    paths = [ROOT / "scenarios" / name for name in ("chat.yaml", "chat-disaggregated.yaml")]
    sets = ["--set", "workload.synthetic.requests=150"]
    told = [*map(str, paths), *sets, "--replications", "2", "--quiet", "--out", str(tmp_path / "a")]
    assert cli.execute(["compare", *told]) == errors.OK
    designs = [Scenario.load(path).with_set("workload.synthetic.requests", 150) for path in paths]
    ours = compare(*designs, replications=2).save(tmp_path / "b")
    (theirs,) = (tmp_path / "a").iterdir()
    assert ours.name == theirs.name
    assert contents(ours) == contents(theirs)


def test_a_path_and_a_mapping_run_too(result: Result, small: Scenario) -> None:
    assert run(small.document, steps=True).table().equals(result.table())


def test_frames_are_the_tables(result: Result) -> None:
    for name in ("requests", "timeline", "steps"):
        table, frame = result.table(name), getattr(result, name)
        assert isinstance(frame, pd.DataFrame)
        assert list(frame.columns) == table.column_names
        assert len(frame) == table.num_rows > 0
    parts = result.requests[["queue_s", "prefill_s", "transfer_s", "decode_s"]].sum(axis=1)
    assert (parts == result.requests.e2e_s).all()


def test_metrics_are_the_summary(result: Result) -> None:
    found = result.metrics.loc[("ttft_s", "p99")]
    entry = result.summary["metrics"]["ttft_s"]
    assert found.value == entry["p99"] == result.value("ttft_s.p99")
    assert found.low == entry["interval"]["p99"]["low"]
    assert result.metrics.loc[("goodput", ""), "value"] == result.value("goodput")
    warm = result.requests.sent_s >= result.summary["warmup"]["cut_s"]
    assert np.percentile(result.requests.ttft_s[warm], 99) == pytest.approx(found.value, rel=1e-12)


def test_unknown_names_are_told_with_the_nearest(result: Result, small: Scenario) -> None:
    with pytest.raises(InputError, match="did you mean 'ttft_s'"):
        result.value("ttft.p99")
    with pytest.raises(InputError, match=r"ttft_s\.p99"):
        result.value("ttft_s.p98")
    with pytest.raises(InputError, match="did you mean 'requests'"):
        result.table("request")
    with pytest.raises(InputError, match="steps=True"):
        _ = run(small).steps


def test_the_verdict_is_said(result: Result) -> None:
    assert result.met is True
    assert result.verdict == result.summary["verdict"]["sentence"]
    assert repr(result).splitlines()[:2] == ["<Result of poisson>", result.verdict]
    assert result.complete


def test_changes_are_the_document(comparison: Comparison) -> None:
    found = comparison.changes.loc[("<four>", "ttft_s", "p99")]
    entry = comparison.document["changes"][0]["metrics"]["ttft_s"]["p99"]
    assert (found.before, found.after) == (entry["a"], entry["b"])
    assert (found.low, found.high) == (entry["difference"]["low"], entry["difference"]["high"])
    assert found.low <= found.difference <= found.high
    assert found.pairs == 3


def test_html_is_small_escaped_and_without_colours_of_its_own(result: Result, comparison: Comparison) -> None:
    for shown in (result._repr_html_(), comparison._repr_html_()):
        assert len(shown) < 20_000
        assert "<four>" not in shown
        assert "color:" not in shown.replace("color: inherit", "")
        assert shown.count("<table") == shown.count("</table>") == 1
    assert "&lt;four&gt;" in comparison._repr_html_()
    assert comparison.verdict.splitlines()[0] in repr(comparison)


def test_designs_that_cannot_be_compared_are_refused(small: Scenario) -> None:
    with pytest.raises(InputError, match="two scenarios or more"):
        compare(small)
    with pytest.raises(InputError, match="another workload"):
        compare(small, small.with_set("seed", 8), replications=2)


def test_no_pandas_unless_a_frame_is_asked_for() -> None:
    code = f"""
import sys
from simulator import Scenario, run
result = run(Scenario.load({str(SCENARIO)!r}).with_set("workload.synthetic.requests", 50))
repr(result), result._repr_html_(), result.table(), result.value("ttft_s.p99")
assert not {{"pandas", "scipy"}} & sys.modules.keys()
result.requests
assert "pandas" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_a_script_without_a_guard_runs_replications(tmp_path: Path) -> None:
    script = tmp_path / "study.py"
    script.write_text(
        f"from simulator import Scenario, run\n"
        f"small = Scenario.load({str(SCENARIO)!r}).with_set('workload.synthetic.requests', 50)\n"
        f"print(run(small, replications=2).summary['replications'])\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "2\n"
