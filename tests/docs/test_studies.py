"""The committed studies: whole, small, shown by the documentation, made again by their command."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs" / "site"))

import studies  # noqa: E402  # lies beside the pages

STUDIES = [pytest.param(study, id=study.name) for study in studies.studies()]


def figures(text: str) -> Any:
    """A comparison's document, but for what names releases and not results: versions, hashes of scenarios."""
    document = json.loads(text)
    del document["versions"], document["hash"]
    for design in document["designs"]:
        del design["scenario"]["hash"]
    return document


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
def test_the_command_makes_it_again(study: Path, tmp_path: Path) -> None:
    page = studies.make(study, tmp_path).splitlines()
    assert [line for line in page if not line.startswith("reports/compare-")] == [
        line for line in text(study, "README.md").splitlines() if not line.startswith("reports/compare-")
    ]
    made, kept = (text(folder, "comparison.json") for folder in (tmp_path, study))
    assert figures(made) == figures(kept)


@pytest.mark.parametrize("study", STUDIES)
def test_it_is_whole_and_small(study: Path) -> None:
    assert sum(file.stat().st_size for file in study.iterdir()) <= 3e6
    page, document = text(study, "README.md"), json.loads(text(study, "comparison.json"))
    report = text(study, "report.html")
    for sentence in document["verdict"]["sentences"]:
        assert sentence in page
    assert all(design["label"] in report for design in document["designs"])
    assert document["complete"] and document["replications"] >= 10


@pytest.mark.parametrize("study", STUDIES)
def test_the_documentation_shows_it(study: Path) -> None:
    assert f"reports/studies/{study.name}/README.md" in text(ROOT, "README.md")
    assert f"studies/{study.name}.md" in text(ROOT, "mkdocs.yml")


def test_there_are_studies() -> None:
    assert len(STUDIES) >= 2


def text(folder: Path, name: str) -> str:
    return folder.joinpath(name).read_text(encoding="utf-8")
