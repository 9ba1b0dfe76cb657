"""The page of a comparison: what changes, how sure that is and why, with every refusal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from comparisons import document, scenarios

from simulator.errors import InputError
from simulator.report import folders
from simulator.report.compare import changed
from simulator.report.compare_folder import DOCUMENT, save
from simulator.report.comparison.differences import FIGURES, forest, found
from simulator.report.comparison.html import html
from simulator.report.page import FILE

HEADINGS = [
    *("What changes", "Objectives", "Latencies", "Where the time goes", "Pools and what limits them"),
    "What the figures rest on",
]
KINDS: dict[str, dict[str, Any]] = {
    "two": {"steps": (0.01, 0.008)},
    "three": {"steps": (0.01, 0.008, 0.012)},
    "saturated": {"steps": (0.01, 0.1), "rate": 0.1, "requests": 1500},
    "single runs": {"steps": (0.01, 0.008), "replications": 1},
}


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest) -> dict[str, Any]:
    return document(
        *KINDS[request.param]["steps"], **{k: v for k, v in KINDS[request.param].items() if k != "steps"}
    )


def test_every_comparison_has_a_whole_page(made: dict[str, Any]) -> None:
    page = html(made)
    assert re.findall(r'<h2 id="s\d+">(.*?)</h2>', page) == HEADINGS
    assert page.index(made["verdict"]["sentences"][0].replace("'", "&#39;")) < page.index("<main")
    assert ">nan" not in page
    for figure in re.findall(r"<figure>(.*?)</figure>", page, re.DOTALL):
        assert "<table" in figure
        assert "How was this computed?" in figure


def test_points_and_intervals_are_those_of_the_document(made: dict[str, Any]) -> None:
    *series, _ = forest(made).series
    for change, points in zip(made["changes"], series, strict=True):
        known = [entry for one in reversed(FIGURES) if (entry := found(change, one)) and entry["relative"]]
        assert points.low == [100 * entry["relative"]["low"] for entry in known]
        assert points.high == [100 * entry["relative"]["high"] for entry in known]
        assert points.x == [100 * (entry["b"] / entry["a"] - 1) for entry in known]
        for name, entry in zip(points.names, known, strict=True):
            assert name.endswith(changed(entry))


def test_the_folder_makes_the_same_page(tmp_path: Path) -> None:
    folder = save(document(0.01, 0.008), scenarios(0.01, 0.008), tmp_path)
    written = folder.joinpath(FILE).read_bytes()
    folders.write(folder)
    assert folder.joinpath(FILE).read_bytes() == written


def test_another_schema_is_refused(tmp_path: Path) -> None:
    tmp_path.joinpath(DOCUMENT).write_text('{"schema": 0, "designs": [{}]}')
    with pytest.raises(InputError, match="written by another sim"):
        folders.page(tmp_path)
