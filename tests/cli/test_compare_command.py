"""`sim compare` as users meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runs import SCENARIO

from simulator import cli, errors
from simulator.cli.compare import question
from simulator.scenario.load import load

SMALL = ["--set", "workload.synthetic.requests=300", "--workers", "1"]
FEWER = """extends: {base}
name: fewer
fleet: {{pools: {{serve: {{replicas: 4}}}}}}
"""


@pytest.fixture
def fewer(tmp_path: Path) -> Path:
    path = tmp_path / "fewer.yaml"
    path.write_text(FEWER.format(base=SCENARIO), encoding="utf-8")
    return path


def command(fewer: Path, replications: int, out: Path) -> list[str]:
    asked = ["compare", str(SCENARIO), str(fewer), *SMALL]
    return [*asked, "--replications", str(replications), "--out", str(out)]


def test_it_prints_a_screen_and_writes_a_folder(
    fewer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = command(fewer, 3, tmp_path / "r")
    assert cli.execute(asked) == errors.OK
    out, err = capsys.readouterr()
    assert out.startswith("fewer against poisson: TTFT p99 ")
    assert not err
    (folder,) = (tmp_path / "r").iterdir()
    assert str(folder) in out
    assert sorted(file.name for file in folder.iterdir()) == [
        "0-poisson.yaml",
        "1-fewer.yaml",
        "comparison.json",
        "report.html",
    ]
    document = json.loads(folder.joinpath("comparison.json").read_text())
    assert document["replications"] == 3
    again = load(folder / "1-fewer.yaml")
    assert again.hash == document["designs"][1]["scenario"]["hash"]


def test_json_is_the_document_and_where_it_lies(
    fewer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = command(fewer, 2, tmp_path / "r")
    assert cli.execute([*asked, "--json"]) == errors.OK
    document = json.loads(capsys.readouterr().out)
    saved = json.loads(Path(document.pop("folder"), "comparison.json").read_text())
    assert document.pop("wall_s") > 0
    assert document == saved
    assert cli.execute([*asked, "--quiet"]) == errors.OK
    assert capsys.readouterr().out.splitlines() == document["verdict"]["sentences"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([str(SCENARIO)], "one design alone cannot be compared"),
        ([str(SCENARIO), "nowhere.yaml"], "nowhere.yaml"),
        ([str(SCENARIO), str(SCENARIO.with_name("chat.yaml"))], "slo is "),
        ([str(SCENARIO), str(SCENARIO), "--set", "fleet.pools.serve.replica=3"], "unknown key"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    arguments: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.execute(["compare", *arguments, "--out", str(tmp_path)]) == errors.BAD_INPUT
    assert complaint in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_fault_of_both_designs_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = ["--set", "fleet.pools.serve.replicas=many", "--out", str(tmp_path)]
    assert cli.execute(["compare", str(SCENARIO), str(SCENARIO), *wrong]) == errors.BAD_INPUT
    assert capsys.readouterr().err.count("is wrong") == 1


def test_a_model_that_does_not_fit_is_refused_before_any_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(f"extends: {SCENARIO}\nname: wrong\nmodel: {{name: llama-3.1-405b}}\n", encoding="utf-8")
    assert (
        cli.execute(["compare", str(SCENARIO), str(wrong), "--out", str(tmp_path / "r")]) == errors.BAD_INPUT
    )
    assert "does not fit h100-sxm" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sets", "given", "expected"),
    [
        ((), None, 10),
        ((), 4, 4),
        (("run.replications=7",), None, 7),
        (("run.replications=1",), None, 1),
    ],
)
def test_how_many_replications(sets: tuple[str, ...], given: int | None, expected: int) -> None:
    asked = question((SCENARIO, SCENARIO), sets, given, False)
    assert asked.replications == expected
    assert [label for label, _ in asked.designs] == ["poisson", "poisson#2"]
    assert asked.designs[0][1].run.replications == expected


def test_a_trace_that_is_not_to_be_resampled_is_run_once() -> None:
    rag = SCENARIO.with_name("rag.yaml")
    assert question((rag, rag), ("run.resample=none",), None, False).replications == 1
    assert question((rag, rag), (), None, False).replications == 10
