"""The documentation of metrics and run folders names what there is, in the code's own words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from small_engine import FakeRun

from simulator.results.metrics import DISTRIBUTIONS, SCALARS, Distribution, Scalar
from simulator.results.summary import summarise

DOCS = Path(__file__).parents[2] / "docs"


def section(text: str, heading: str) -> str:
    return text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def named(text: str) -> set[str]:
    """The names in the first column of a section's table."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize("metric", [*DISTRIBUTIONS, *SCALARS], ids=lambda metric: metric.name)
def test_every_metric_is_documented_in_its_own_words(metric: Distribution | Scalar) -> None:
    row = f"| `{metric.name}` | {metric.unit} | {metric.definition} |"
    assert row in DOCS.joinpath("metrics.md").read_text().splitlines()


@pytest.mark.parametrize("table", ["requests", "timeline", "density", "steps"])
def test_every_column_is_documented(fake_run: FakeRun, table: str) -> None:
    run = fake_run(rate=9.0, n=50, keep_steps=True)
    documented = named(section(DOCS.joinpath("run-folder.md").read_text(), f"{table}.parquet"))
    assert documented == set(getattr(run, table).column_names)


def test_every_key_of_the_summary_is_documented(fake_run: FakeRun) -> None:
    documented = named(section(DOCS.joinpath("run-folder.md").read_text(), "summary.json"))
    assert documented == set(summarise(fake_run(rate=9.0, n=50)))
