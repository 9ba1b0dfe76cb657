"""`sim report` as users meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runs import SCENARIO

from simulator import cli, errors

SMALL = ["--set", "workload.synthetic.requests=300"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parent = tmp_path_factory.mktemp("reports")
    assert cli.execute(["run", str(SCENARIO), *SMALL, "--out", str(parent), "--quiet"]) == errors.OK
    (found,) = parent.iterdir()
    return found


def test_the_page_is_written_again_with_the_same_bytes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = folder / "report.html"
    before, files = page.read_bytes(), sorted(folder.iterdir())
    page.unlink()
    assert cli.execute(["report", str(folder)]) == errors.OK
    assert page.read_bytes() == before
    assert sorted(folder.iterdir()) == files
    out, err = capsys.readouterr()
    assert out == f"{page} ({len(before):,} bytes)\n"
    assert not err


def test_json_names_the_pages(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["report", str(folder), str(folder), "--json"]) == errors.OK
    assert json.loads(capsys.readouterr().out) == {"pages": [str(folder / "report.html")] * 2}


def test_folders_of_nothing_are_told_all_at_once(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.execute(["report", str(tmp_path), str(folder), str(tmp_path / "none")]) == errors.BAD_INPUT
    told = capsys.readouterr().err
    assert told.count("neither the folder of a run nor of a comparison") == 2
