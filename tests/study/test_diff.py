"""`sim diff`: against itself, against designs that differ, and against measured files of each format."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported import folder

from simulator import cli, errors
from simulator.report.export import formats
from simulator.report.export.source import open_run
from simulator.results.folder import load_run
from simulator.study.diff.compare import compare
from simulator.study.diff.files import measured
from simulator.study.diff.side import Side, simulated


def side(name: str) -> Side:
    return simulated(load_run(folder(name)))


def export(name: str, form: str, out: Path) -> Path:
    formats.FORMATS[form].write(open_run(folder(name)), out, lambda done, total: None)
    return out


def as_csv(name: str, out: Path, slower: float = 1.0) -> Path:
    run = load_run(folder(name)).requests.to_pydict()
    with gzip.open(out, "wt", newline="") as file:
        table = csv.writer(file)
        table.writerow(["arrival_s", "prompt_tokens", "output_tokens", "ttft_s", "e2e_s"])
        for row in zip(
            run["sent_s"], run["prompt_tokens"], run["emitted"], run["ttft_s"], run["e2e_s"], strict=True
        ):
            table.writerow([*row[:3], row[3] * slower, row[4] * slower])
    return out


def test_a_run_does_not_differ_from_itself() -> None:
    found = compare(side("handed"), side("handed"))
    assert found["paired"] and not found["scenario"]
    assert found["verdict"] == "No difference: every request has the same latencies in both."
    assert all(entry["relative"] == 0 for key in found["metrics"].values() for entry in key.values())
    assert all(entry["a"] == entry["b"] for entry in found["parts"].values())


def test_designs_under_the_same_requests_are_paired() -> None:
    """Against the columns themselves."""
    a, b = load_run(folder("plain")), load_run(folder("fewer"))
    found = compare(simulated(a), simulated(b))
    first, second = (np.array(run.requests["ttft_s"].to_pylist()) for run in (a, b))
    assert found["paired"] and found["a"]["counted"] == len(first)
    ttft = found["metrics"]["ttft_s"]["mean"]
    assert ttft["relative"] == pytest.approx(second.mean() / first.mean() - 1)
    assert ttft["interval"]["low"] < ttft["relative"] < ttft["interval"]["high"]
    assert found["requests"]["ttft_s"]["slower"] == pytest.approx((second > first).mean())
    assert found["scenario"] == [{"key": "fleet.pools.serve.replicas", "a": 8, "b": 2}]
    total = sum(entry["b"] - entry["a"] for entry in found["parts"].values())
    e2e = found["metrics"]["e2e_s"]["mean"]
    assert total == pytest.approx(e2e["b"] - e2e["a"])
    assert "They differ in fleet.pools.serve.replicas 8 → 2." in found["verdict"]


def test_rates_of_replications_are_those_of_each() -> None:
    """They all begin at 0: their tokens do not come in the time of one."""
    run = load_run(folder("stepless"))
    whole = simulated(run)
    assert whole.replication is not None
    rates = whole.rates(whole.done)
    each = [whole.rates(whole.done & (whole.replication == number)) for number in (0, 1)]
    for name, value in rates.items():
        assert min(one[name] for one in each) <= value <= max(one[name] for one in each)
        assert value == pytest.approx(run.summary["metrics"][name]["value"], rel=0.01)


def test_nothing_finished_is_nothing_to_compare(capsys: pytest.CaptureFixture[str]) -> None:
    for other in ("nothing", "plain"):
        given = ["diff", str(folder("nothing")), str(folder(other))]
        assert cli.execute(given) == errors.OK
        assert capsys.readouterr().out.startswith("Nothing to compare: ")


def test_different_requests_are_not_paired() -> None:
    found = compare(side("plain"), side("handed"))
    assert not found["paired"] and found["requests"] is None
    assert found["verdict"].endswith("so nothing is paired.")
    keys = {entry["key"] for entry in found["scenario"]}
    assert {"fleet.pools.serve", "fleet.pools.decode"} <= keys  # each as a whole


@pytest.mark.parametrize("form", ["vllm-bench", "aiperf", "csv"])
def test_what_was_measured_is_read_from_each_format(form: str, tmp_path: Path) -> None:
    """A run exported and read back: no error at all."""
    path = (
        as_csv("plain", tmp_path / "x.csv.gz")
        if form == "csv"
        else export("plain", form, tmp_path / "x.json")
    )
    found = compare(side("plain"), measured(path))
    assert found["measured"] and found["paired"]
    for name, statistics in found["metrics"].items():
        for key, entry in statistics.items():
            assert entry["error"] == pytest.approx(0, abs=1e-6), (name, key)
    assert ("itl_s" in found["metrics"]) == (form != "csv")
    assert found["rates"]["output_throughput"]["error"] == pytest.approx(0, abs=1e-6)


def test_errors_are_of_the_simulation(tmp_path: Path) -> None:
    found = compare(side("plain"), measured(as_csv("plain", tmp_path / "x.csv.gz", slower=1.25)))
    assert found["metrics"]["ttft_s"]["mean"]["error"] == pytest.approx(-0.2)
    assert found["requests"]["e2e_s"]["median_absolute_relative"] == pytest.approx(0.25)
    assert found["verdict"].startswith("Simulated against measured, means: TTFT −20 % (p99 −20 %)")


def test_old_results_of_vllm_bench_are_read(tmp_path: Path) -> None:
    """Without latencies, start_times and failed requests' errors, as older versions wrote them."""
    path = export("plain", "vllm-bench", tmp_path / "x.json")
    result = json.loads(path.read_text())
    kept = ("input_lens", "output_lens", "ttfts", "itls", "errors")
    path.write_text(json.dumps({key: result[key] for key in kept}))
    found = compare(side("plain"), measured(path))
    assert found["metrics"]["e2e_s"]["p99"]["error"] == pytest.approx(0, abs=1e-9)
    assert not found["rates"]


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("a.json", "{}", "lacks 'ttfts'"),
        ("a.json", "[", "cannot be read"),
        ("a.csv", "arrival_s,ttft_s\n0,1\n", "no column prompt_tokens and output_tokens and e2e_s"),
        ("a.txt", "", "is in no format that is known"),
    ],
)
def test_bad_files_are_refused(
    name: str, text: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.joinpath(name).write_text(text)
    assert cli.execute(["diff", str(folder("plain")), str(tmp_path / name)]) == errors.BAD_INPUT
    assert word in capsys.readouterr().err


def test_a_missing_file_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["diff", str(folder("plain")), "nothing.json"]) == errors.BAD_INPUT
    assert "no measured run here" in capsys.readouterr().err


@pytest.mark.parametrize("width", ["100", "80", "40"])
@pytest.mark.parametrize("other", ["fewer", "handed", "measured"])
def test_one_screen_tells_it(
    other: str,
    width: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    path = export("plain", "vllm-bench", tmp_path / "x.json") if other == "measured" else folder(other)
    assert cli.execute(["diff", str(folder("plain")), str(path)]) == errors.OK
    out, err = capsys.readouterr()
    assert not err and "\x1b" not in out
    assert all(len(line) <= int(width) for line in out.splitlines())
    if width == "100":
        assert len(out.splitlines()) <= 31


def test_json_and_quiet_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["diff", str(folder("plain")), str(folder("fewer"))]
    assert cli.execute([*given, "--json"]) == errors.OK
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert cli.execute([*given, "--quiet"]) == errors.OK
    assert capsys.readouterr().out.strip() == document["verdict"]
