"""`sim explain` of a request, a percentile and a pool, as users meet it."""

from __future__ import annotations

import json

import pytest
from exported import SCENARIOS, folder

from simulator import cli, errors


@pytest.mark.parametrize("width", ["100", "80", "40"])
@pytest.mark.parametrize(
    ("run", "question"),
    [
        ("plain", ["--percentile", "ttft:p95"]),
        ("handed", ["--percentile", "e2e:p90"]),
        ("plain", ["--pool", "serve"]),
        ("handed", ["--pool", "decode"]),
        ("plain", ["--request", "7"]),
    ],
)
def test_one_screen_tells_it(
    run: str,
    question: list[str],
    width: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    assert cli.execute(["explain", str(folder(run)), *question]) == errors.OK
    out, err = capsys.readouterr()
    assert not err and "\x1b" not in out
    assert "…" not in out.replace("(sim explain … --request", "")
    if width != "40":
        assert len(out.splitlines()) <= 31
    assert all(len(line) <= int(width) for line in out.splitlines())


def test_json_has_the_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["explain", str(folder("plain")), "--percentile", "e2e:p95", "--json"]) == errors.OK
    told = json.loads(capsys.readouterr().out)
    assert told["metric"] == "e2e" and told["sentences"][0].startswith("output tokens: ")
    assert cli.execute(["explain", str(folder("handed")), "--pool", "prefill", "--json"]) == errors.OK
    told = json.loads(capsys.readouterr().out)
    assert set(told["replicas"]) == {"prefill/0", "prefill/1"} and told["limits"]["binds"]


def test_a_scenario_is_simulated_first(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--set", "workload.synthetic.requests=300"]
    assert cli.execute(["explain", str(SCENARIOS / "poisson.yaml"), *small, "--pool", "serve"]) == errors.OK
    assert capsys.readouterr().out.startswith("serve, 8 × 1 h100-sxm")


def test_a_run_in_place_of_a_scenario_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    run = folder("plain")
    assert cli.execute(["run", str(run)]) == errors.BAD_INPUT
    assert f"the scenario of this run: {run}/scenario.yaml" in capsys.readouterr().err


def test_another_replication_of_a_scenario_is_that_of_its_run(capsys: pytest.CaptureFixture[str]) -> None:
    poisson = [str(SCENARIOS / "poisson.yaml"), "--set", "workload.synthetic.requests=300"]
    poisson += ["--set", "run.warmup=0", "--set", "run.replications=2"]
    asked = ["--request", "7", "--replication", "1", "--json"]
    assert cli.execute(["explain", *poisson, *asked]) == errors.OK
    simulated = json.loads(capsys.readouterr().out)
    assert cli.execute(["explain", str(folder("stepless")), *asked]) == errors.OK
    assert simulated == json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "nothing is asked"),
        (["--pool", "serve", "--request", "1"], "--request and --pool: one thing at a time"),
        (["--pool", "serv"], "did you mean 'serve'?"),
        (["--percentile", "ttft:99"], "cannot read 'ttft:99'"),
        (["--percentile", "ttft:p99", "--replication", "9"], "no replication 9"),
        (["--pool", "serve", "--replication", "9"], "no replication 9"),
        (["--request", "1000000"], "no request 1000000"),
    ],
)
def test_bad_questions_are_refused(
    arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.execute(["explain", str(folder("plain")), *arguments]) == errors.BAD_INPUT
    assert word in capsys.readouterr().err
