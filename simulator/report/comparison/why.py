"""Why: the parts of the requests' time in each design, and what changes in each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulator.report.charts import Chart, Table
from simulator.report.colours import PARTS
from simulator.report.compare import changed
from simulator.report.page import Section
from simulator.report.run.waterfall import MEANING, bars
from simulator.report.terminal import between, number

GROUPS = {
    "mean": "Where the time of all requests goes",
    "ttft_s": "Of the slowest 1 % by TTFT",
    "tpot_s": "Of the slowest 1 % by TPOT",
    "e2e_s": "Of the slowest 1 % by E2E",
}


def section(document: dict[str, Any]) -> Section:
    charts = tuple(_chart(document, group) for group in GROUPS)
    return Section("Where the time goes", (), charts, (changes(document),))


def _chart(document: dict[str, Any], group: str) -> Chart:
    found = {design["label"]: design["parts"][group] for design in document["designs"]}
    how = f"Means over replications, of finished requests sent after the warm-up. {MEANING}"
    return bars(f"parts-{group.removesuffix('_s')}", f"{GROUPS[group]}, mean seconds", found, how)


def changes(document: dict[str, Any]) -> Table:
    """What changes in each part, with intervals, where pairs of runs tell."""
    rows = [row for change in document["changes"] for group in GROUPS for row in _rows(change, group)]
    return Table(
        ("part", "of", "design", "from, s", "to, s", "difference, s", "relative", "shown"),
        rows,
        (0, 1, 2),
        title="What changes in each part",
        how="As the differences of figures: over pairs of runs; a single run has none.",
        folded=True,
    )


def _rows(change: dict[str, Any], group: str) -> Iterator[tuple[str, ...]]:
    for part, entry in change["parts"][group].items():
        if entry and (entry["a"] or entry["b"]):
            yield (
                PARTS[part][0],
                GROUPS[group].removeprefix("Of ").removeprefix("Where the time of ").removesuffix(" goes"),
                change["to"],
                number(entry["a"]),
                number(entry["b"]),
                between(entry["difference"], 1.0),
                changed(entry),
                "yes" if entry["shown"] else "no",
            )
