"""Run folders: whole or not at all, the same bytes for the same run, read as they were written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_engine import FakeRun

from simulator.errors import InputError
from simulator.results import folder
from simulator.results.run import RunResult, merge
from simulator.results.summary import summarise


@pytest.fixture(scope="module")
def run(fake_run: FakeRun) -> RunResult:
    return fake_run(rate=9.0, n=300, keep_steps=True)


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())}


def test_equal_runs_are_equal_bytes(fake_run: FakeRun, run: RunResult, tmp_path: Path) -> None:
    again = fake_run(rate=9.0, n=300, keep_steps=True)
    one = folder.save(run, summarise(run), folder.folder_of(run, tmp_path / "a"))
    two = folder.save(again, summarise(again), folder.folder_of(again, tmp_path / "b"))
    assert contents(one) == contents(two)
    assert sorted(contents(one)) == [
        "density.parquet",
        "requests.parquet",
        "scenario.yaml",
        "steps.parquet",
        "summary.json",
        "timeline.parquet",
    ]
    assert one.name == "test-01234567"


def test_what_is_written_is_read(run: RunResult, tmp_path: Path) -> None:
    summary = summarise(run)
    saved = folder.load_run(folder.save(run, summary, tmp_path / "run"))
    assert saved.requests.equals(run.requests)
    assert saved.timeline.equals(run.timeline)
    assert saved.steps is not None
    assert saved.steps.equals(run.steps)
    assert saved.density is not None
    assert saved.density.equals(run.density)
    assert saved.summary == summary == json.loads(json.dumps(summary))
    assert "name: test" in saved.scenario


def test_an_older_run_is_replaced_and_nothing_is_left_behind(
    fake_run: FakeRun, run: RunResult, tmp_path: Path
) -> None:
    path = folder.save(run, summarise(run), tmp_path / "run")
    without_steps = fake_run(rate=9.0, n=200)
    folder.save(without_steps, summarise(without_steps), path)
    assert folder.load_run(path).steps is None
    assert [entry.name for entry in tmp_path.iterdir()] == ["run"]


def test_a_failed_write_leaves_the_older_run(run: RunResult, tmp_path: Path) -> None:
    path = folder.save(run, summarise(run), tmp_path / "run")
    before = contents(path)
    with pytest.raises(ValueError, match="JSON"):
        folder.save(run, {"schema": float("nan")}, path)
    assert contents(path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["run"]


def test_what_is_no_run_is_not_removed(run: RunResult, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    mine.joinpath("thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="no run folder"):
        folder.save(run, {}, mine)
    assert mine.joinpath("thesis.tex").exists()


def test_folders_that_are_no_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no run folder"):
        folder.load_run(tmp_path / "nothing")
    tmp_path.joinpath("summary.json").write_text('{"schema": 99}')
    with pytest.raises(InputError, match="schema 99"):
        folder.load_run(tmp_path)
    tmp_path.joinpath("summary.json").write_text('{"schema": 1}')
    with pytest.raises(InputError, match=r"lacks requests\.parquet"):
        folder.load_run(tmp_path)


def test_where_runs_went_is_taken_for_a_run_no_further_than_a_hint(run: RunResult, tmp_path: Path) -> None:
    """`--out r1` makes r1/<scenario>-<hash>: who then says r1 is told so."""
    kept = folder.save(run, {}, tmp_path / "one-01234567")
    tmp_path.joinpath(".hidden").mkdir()
    tmp_path.joinpath(".hidden", "summary.json").touch()
    with pytest.raises(InputError) as caught:
        folder.load_run(tmp_path)
    assert caught.value.problems[0].hint == f"did you mean {str(kept)!r}?"
    folder.save(run, {}, tmp_path / "two-01234567")
    assert folder.within(tmp_path).endswith("two-01234567'?")
    folder.save(run, {}, tmp_path / "zoo-01234567")
    assert folder.within(tmp_path) == f"did you mean {str(kept)!r} or one of 2 more?"
    assert folder.within(tmp_path / "nothing") == folder.within(kept) == ""


def test_replications_are_a_column(fake_run: FakeRun, tmp_path: Path) -> None:
    runs = [fake_run(rate=9.0, n=200, seed=number, replication=number) for number in range(3)]
    merged = merge(runs)
    assert merged.replications == 3
    assert runs[2].replications == 1
    assert merged.simulated_s == sum(one.simulated_s for one in runs)
    assert len({one.simulated_s for one in runs}) == 3
    summary = summarise(merged)
    saved = folder.load_run(folder.save(merged, summary, tmp_path / "run"))
    assert saved.requests["replication"].to_pylist() == [0] * 200 + [1] * 200 + [2] * 200
    interval = summary["metrics"]["ttft_s"]["interval"]["p99"]
    assert interval["method"] == "Student t over 3 replications"
    assert interval["low"] <= summary["metrics"]["ttft_s"]["p99"] <= interval["high"]


@pytest.mark.parametrize(
    ("name", "folder_name"), [("../../x y", "-..-x y"), ("a/b\\c", "a-b-c"), ("日" * 200, "日" * 66)]
)
def test_a_name_stays_in_its_folder(run: RunResult, tmp_path: Path, name: str, folder_name: str) -> None:
    named = replace(run, scenario=replace(run.scenario, name=name))
    assert folder.folder_of(named, tmp_path) == tmp_path / f"{folder_name}-01234567"
    assert folder.save(named, summarise(named), folder.folder_of(named, tmp_path)).is_dir()
