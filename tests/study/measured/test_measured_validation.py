"""`sim validate runs` from an index to medians and page, on runs made by hand and on published ones."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from measured_index import CLOSED, COLOCATED, STAGE, write, write_requests

from simulator.cli import sim
from simulator.study.measured.trial import Settings
from simulator.study.measured.validate import validate

MEASURED = Path(__file__).parents[3].parent / "shared" / "groundtruth"
PUBLISHED = """simulator,run,stage,metric,predicted_ms,measured_ms,abs_pct_error,table
theirs,small/one,all,e2e_mean,140,280,50,A
theirs,small/one,all,ttft_mean,60,30,100,A
theirs,other/run,all,e2e_mean,1,1,0,A
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_requests(
        tmp_path / "runs/two.csv.gz",
        "arrival_s,prompt_tokens,output_tokens,ttft_s,e2e_s",
        *(f"{i / 2},100,{9 if i else 1},0.025,{0.1 if i else 0.025}" for i in range(20)),
    )
    (tmp_path / "published.csv").write_text(PUBLISHED)
    stages = [STAGE | {"stage": 0}, STAGE | {"stage": 1}, STAGE | {"stage": "all", "n_requests": ""}]
    two = COLOCATED | {"run": "other/two", "set": "other", "per_request_file": "runs/two.csv.gz"}
    lost = CLOSED | {"run": "other/lost", "set": "other", "accelerator": ""}
    failed = CLOSED | {"run": "other/failed", "set": "other", "n_failed": 3, "quality": "mean, overloaded"}
    return write(tmp_path, CLOSED, *stages, two, lost, failed)


def run(*arguments: str) -> Result:
    found = CliRunner().invoke(sim, ["validate", "runs", *arguments], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found


def test_every_run_is_simulated_or_counted_with_what_it_lacks(folder: Path) -> None:
    report = validate([str(folder)], Settings(seeds=2))
    rows = [(outcome.row.run, outcome.row.stage) for outcome in report.outcomes]
    assert rows == [
        ("small/one", "all"), ("small/staged", "0"), ("small/staged", "1"), ("small/staged", "all"),
        ("other/two", "all"), ("other/failed", "all"),
    ]  # fmt: skip
    assert [(entry.rows[0].run, entry.reason) for entry in report.not_done] == [
        ("other/lost", "the accelerator")
    ]
    assert report.runs == 5


def test_stages_and_the_whole_are_of_one_simulation(folder: Path) -> None:
    report = validate([str(folder)], Settings(seeds=1), ["small"])
    first, second, whole = (outcome.simulated for outcome in report.outcomes[1:])
    assert whole["e2e_mean_ms"] == pytest.approx((first["e2e_mean_ms"] + second["e2e_mean_ms"]) / 2)
    assert first["ttft_p99_ms"] > second["ttft_p99_ms"], "the first stage fills the prefix cache"


def test_recorded_requests_are_the_truth(folder: Path) -> None:
    report = validate([str(folder)], Settings(), ["other"])
    two = report.outcomes[0]
    assert two.measured["ttft_mean_ms"] == pytest.approx(25)
    assert two.measured["tpot_mean_ms"] == pytest.approx(75 / 8)
    assert two.overloaded[0] is None, "too few to tell"
    assert 0 <= two.shapes["ks_ttft"] <= 1
    assert report.outcomes[1].survivors
    assert report.outcomes[1].overloaded[0] is True


def test_a_defect_is_counted_and_stops_nobody_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise AssertionError("3 tokens of 2")

    monkeypatch.setattr("simulator.study.measured.trial.records", broken)
    report = validate([str(folder)], Settings(), ["small"])
    assert [entry.reason for entry in report.not_done] == [
        "a simulation without a defect: AssertionError: 3 tokens of 2"
    ] * 2


def test_workers_change_nothing(folder: Path) -> None:
    alone, together = (validate([str(folder)], Settings(seeds=1), workers=n) for n in (1, 2))
    assert [o.simulated for o in alone.outcomes] == [o.simulated for o in together.outcomes]
    assert [o.row.run for o in alone.outcomes] == [o.row.run for o in together.outcomes]


def test_a_constant_between_client_and_engine_is_added_when_asked_for(folder: Path) -> None:
    near, far = (validate([str(folder)], Settings(client_s=wait), limit=1) for wait in (0.0, 0.006))
    for key in ("ttft_mean_ms", "e2e_mean_ms"):
        assert far.outcomes[0].simulated[key] - near.outcomes[0].simulated[key] == pytest.approx(6)
    assert far.outcomes[0].simulated["tpot_mean_ms"] == pytest.approx(
        near.outcomes[0].simulated["tpot_mean_ms"]
    )


def test_the_terminal_shows_each_run_what_is_not_done_and_last_the_medians(folder: Path) -> None:
    lines = run(str(folder), "--seeds", "1").output.splitlines()
    assert lines[0] == "small/one"
    assert lines[1].startswith("  TTFT mean 30 → ")
    assert "not done: 1 of other lack the accelerator" in lines
    assert lines[-1].startswith("4 of 5 runs; median error over 5 rows: TTFT ")
    quiet = run(str(folder), "--seeds", "1", "--quiet").output.splitlines()
    assert quiet == [lines[-1]]


def test_json_has_every_figure(folder: Path) -> None:
    found: dict[str, Any] = json.loads(run(str(folder), "--seeds", "1", "--json").output)
    assert found["runs"] == 5
    assert found["not_done"] == [{"run": "other/lost", "set": "other", "lacks": "the accelerator"}]
    first = found["rows"][0]
    error = first["simulated"]["tpot_mean_ms"] / first["measured"]["tpot_mean_ms"] - 1
    assert first["errors"]["tpot_mean_ms"] == pytest.approx(error)
    assert found["sets"]["small"]["medians"]["e2e"]["rows"] == 3
    assert found["sets"]["small"]["rows"] == 3


def test_the_page_is_written_with_published_predictions_beside(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "accuracy.md"
    run(str(folder), "--seeds", "1", "--quiet", "--out", str(out))
    page = out.read_text(encoding="utf-8")
    assert page.startswith("# How well measured runs are predicted\n")
    assert "Of 5 runs 4 were simulated," in page
    assert "| A | theirs | 1 | 50.0 | " in page
    assert "| other | 1 | the accelerator |" in page
    assert "Source: github:someone/measurements (MIT)." in page
    widths = {line.count("|") for line in page.split("## small\n")[1].splitlines() if line.startswith("|")}
    assert len(widths) == 1


def test_a_set_that_is_not_there_is_bad_input(folder: Path) -> None:
    from simulator import cli, errors

    assert cli.execute(["validate", "runs", str(folder), "--set-name", "none"]) == errors.BAD_INPUT
    assert cli.execute(["validate", "runs", str(folder), "--client-latency", "6 apples"]) == errors.BAD_INPUT


@pytest.mark.slow
@pytest.mark.skipif(not MEASURED.is_dir(), reason="the published runs are not here")
def test_published_runs_are_met_without_fitting() -> None:
    """Medians that hold with room: each bound is over what the set reaches."""
    sets = ["blis-h100-16", "blis-38", "blis-trainval", "llm-k8s", "llmservingsim-bench"]
    found = json.loads(
        run(str(MEASURED), "--seeds", "1", "--json", *(w for s in sets for w in ("--set-name", s))).output
    )
    bounds = {
        "blis-h100-16": (0.30, 0.10, 0.10),
        "blis-38": (0.30, 0.10, 0.10),
        "blis-trainval": (0.30, 0.10, 0.10),
        "llm-k8s": (0.30, 0.15, 0.15),
    }
    for name, limits in bounds.items():
        medians = found["sets"][name]["medians"]
        reached = [medians[metric]["error"] for metric in ("ttft", "tpot", "e2e")]
        assert all(error <= limit for error, limit in zip(reached, limits)), (name, reached)
    assert not [entry for entry in found["not_done"] if entry["set"] in bounds]
    assert math.isfinite(found["sets"]["llmservingsim-bench"]["medians"]["throughput"]["error"])
