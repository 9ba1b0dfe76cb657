"""`sim run` and `sim explain` as users meet them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from runs import SCENARIO

from simulator import cli, errors
from simulator.cli import run as run_module
from simulator.results.folder import load_run

SMALL = ["--set", "workload.synthetic.requests=600"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parent = tmp_path_factory.mktemp("reports")
    assert cli.execute(["run", str(SCENARIO), *SMALL, "--out", str(parent), "--quiet"]) == errors.OK
    (folder,) = parent.iterdir()
    return folder


def test_run_prints_a_screen_and_writes_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["run", str(SCENARIO), *SMALL, "--out", str(tmp_path), "--steps"]) == errors.OK
    out, err = capsys.readouterr()
    assert out.startswith("Meets the SLO: ")
    assert "engine steps" in out
    assert not err
    (folder,) = tmp_path.iterdir()
    assert str(folder) in out
    assert sorted(file.name for file in folder.iterdir()) == [
        "density.parquet", "report.html", "requests.parquet", "scenario.yaml", "steps.parquet",
        "summary.json", "timeline.parquet",
    ]  # fmt: skip


def test_the_same_scenario_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    cli.execute(["run", str(SCENARIO), *SMALL, "--out", str(tmp_path), "--exact", "--quiet"])
    for file in saved.iterdir():
        if file.name != "summary.json":
            assert tmp_path.joinpath(saved.name, file.name).read_bytes() == file.read_bytes(), file.name


def test_json_is_the_summary_and_where_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.execute(["run", str(SCENARIO), *SMALL, "--out", str(tmp_path), "--json"])
    printed = json.loads(capsys.readouterr().out)
    saved = load_run(printed.pop("folder"))
    assert printed.pop("simulation")["requests_per_s"] > 0
    assert printed == saved.summary


def test_quiet_prints_the_verdict_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.execute(["run", str(SCENARIO), *SMALL, "--out", str(tmp_path), "--quiet"])
    out, err = capsys.readouterr()
    assert out.startswith("Meets the SLO")
    assert out.count("\n") == 1
    assert not err


def test_replications_are_run_and_told_apart(tmp_path: Path) -> None:
    cli.execute(["run", str(SCENARIO), *SMALL, "--out", str(tmp_path), "--replications", "2", "--quiet"])
    (folder,) = tmp_path.iterdir()
    run = load_run(folder)
    assert run.summary["replications"] == 2
    assert run.summary["requests"]["finished"] == 1200
    assert set(run.requests["replication"].to_pylist()) == {0, 1}


def test_a_missed_slo_ends_with_its_own_code(tmp_path: Path) -> None:
    tight = [*SMALL, "--set", "slo.tpot=1 ms", "--out", str(tmp_path), "--quiet"]
    assert cli.execute(["run", str(SCENARIO), *tight]) == errors.OK
    assert cli.execute(["run", str(SCENARIO), *tight, "--assert"]) == errors.SLO_MISSED
    assert (
        cli.execute(["run", str(SCENARIO), *SMALL, "--out", str(tmp_path), "--quiet", "--assert"])
        == errors.OK
    )


def test_asserting_nothing_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nothing = [*SMALL, "--set", "slo=null", "--assert", "--out", str(tmp_path)]
    assert cli.execute(["run", str(SCENARIO), *nothing]) == errors.BAD_INPUT
    assert "no slo" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_told_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_module, "simulated", pytest.fail)
    place = tmp_path / "file"
    place.write_text("mine")
    assert cli.execute(["run", str(SCENARIO), *SMALL, "--out", str(place)]) == errors.BAD_INPUT
    assert "cannot be written to" in capsys.readouterr().err


@pytest.mark.parametrize("never", ["run.warmup=5 h", "run.duration=1 us"])
@pytest.mark.parametrize("slo", ["slo=null", "slo.ttft=2 s"])
def test_a_run_of_nothing_that_counts_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], never: str, slo: str
) -> None:
    sets = [*SMALL, "--set", never, "--set", slo]
    assert cli.execute(["run", str(SCENARIO), *sets, "--out", str(tmp_path)]) == errors.OK
    assert "Nothing that counts finished." in capsys.readouterr().out


@contextmanager
def impatient(quiet: bool) -> Iterator[tuple[Callable[..., None], Callable[..., None], None]]:
    def interrupt(*what: float) -> None:
        raise KeyboardInterrupt

    def after_one(done: int, planned: int) -> None:
        if done:
            raise KeyboardInterrupt

    yield interrupt, after_one, None


def test_an_interrupted_run_is_kept_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_module, "progress_bar", impatient)
    assert cli.execute(["run", str(SCENARIO), *SMALL, "--out", str(tmp_path)]) == errors.INTERRUPTED
    (folder,) = tmp_path.iterdir()
    assert folder.name.endswith("-partial")
    summary = load_run(folder).summary
    assert summary["complete"] is False
    assert 0 < summary["requests"]["finished"] < 600
    assert summary["requests"]["unfinished"] == 600 - summary["requests"]["finished"]
    assert "Partial run." in capsys.readouterr().out


def test_an_interruption_between_replications_keeps_those_that_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "progress_bar", impatient)
    several = [*SMALL, "--replications", "3", "--workers", "1", "--out", str(tmp_path), "--quiet"]
    assert cli.execute(["run", str(SCENARIO), *several]) == errors.INTERRUPTED
    (folder,) = tmp_path.iterdir()
    assert folder.name.endswith("-partial")
    summary = load_run(folder).summary
    assert (summary["complete"], summary["replications"]) == (False, 1)
    assert summary["requests"]["finished"] == 600


def test_explain_tells_where_the_time_went(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["explain", str(saved), "--request", "17"]) == errors.OK
    out = capsys.readouterr().out
    assert out.startswith("Request 17 of poisson: finished on serve/")
    assert "more than" in out


def test_explain_of_a_scenario_simulates_it(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["explain", str(SCENARIO), *SMALL, "--request", "17", "--json"]) == errors.OK
    fresh = json.loads(capsys.readouterr().out)
    assert cli.execute(["explain", str(saved), "--request", "17", "--json"]) == errors.OK
    assert json.loads(capsys.readouterr().out) == fresh
    row = fresh["request"]
    assert row["queue_s"] + row["prefill_s"] + row["decode_s"] == row["e2e_s"]
    assert 0 <= fresh["slower_than"]["e2e_s"] <= 1
    assert fresh["finished"] == 600


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--request", "600"], "allowed: 0 to 599"),
        (["--request", "-1"], "no request -1"),
        (["--request", "1", "--replication", "3"], "allowed: 0 to 0"),
        (["--request", "1", "--set", "seed=8"], "no effect"),
    ],
)
def test_explain_refuses_what_is_not_there(
    saved: Path, options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.execute(["explain", str(saved), *options]) == errors.BAD_INPUT
    assert complaint in capsys.readouterr().err


def test_a_saved_run_replayed_is_the_run(saved: Path, tmp_path: Path) -> None:
    """requests.parquet is a workload: replayed through the same fleet it gives the same bytes."""
    trace = f"workload.trace={saved / 'requests.parquet'}"
    replay = ["run", str(SCENARIO), "--set", "workload.synthetic=null", "--set", trace]
    assert cli.execute([*replay, "--out", str(tmp_path), "--quiet"]) == errors.OK
    (folder,) = tmp_path.iterdir()
    for name in ("requests.parquet", "timeline.parquet"):
        assert folder.joinpath(name).read_bytes() == saved.joinpath(name).read_bytes(), name


def test_the_saved_scenario_runs_again_from_its_folder(tmp_path: Path) -> None:
    """Paths in it lead to the same files from there, so the run and its folder are the same."""
    original = SCENARIO.parent / "rag.yaml"
    small = ["--set", "workload.limit=300", "--quiet", "--out"]
    assert cli.execute(["run", str(original), *small, str(tmp_path / "a")]) == errors.OK
    (first,) = tmp_path.joinpath("a").iterdir()
    assert (
        cli.execute(["run", str(first / "scenario.yaml"), "--quiet", "--out", str(tmp_path / "b")])
        == errors.OK
    )
    (second,) = tmp_path.joinpath("b").iterdir()
    assert second.name == first.name
    for name in ("summary.json", "requests.parquet", "timeline.parquet"):
        assert second.joinpath(name).read_bytes() == first.joinpath(name).read_bytes(), name
