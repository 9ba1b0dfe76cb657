"""A comparison as one page: the verdict and its evidence, then everything behind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulator.report import page
from simulator.report.charts import Table
from simulator.report.compare import changed, footing, pools
from simulator.report.comparison import differences, side, why
from simulator.report.page import Page, Section, Tile
from simulator.report.run.html import LIMITS, glossary, provenance
from simulator.report.terminal import accelerators

TILES = ("TTFT p99", "TPOT p99", "E2E p99", "goodput/accelerator", "$/M tokens")


def html(document: dict[str, Any]) -> str:
    """The page of comparison.json: the same bytes for the same document."""
    labels = [design["label"] for design in document["designs"]]
    return page.render(
        Page(
            f"{' against '.join([' and '.join(labels[1:]), labels[0]])}: simulated comparison",
            subtitle(document),
            (*document["verdict"]["sentences"], *pools(document), *footing(document)),
            tuple(_sections(document)),
            tuple(_footing(document)),
            tiles=tuple(tiles(document)),
            glossary=glossary(),
        )
    )


def _sections(document: dict[str, Any]) -> Iterator[Section]:
    yield differences.section(document)
    yield side.objectives(document)
    yield side.latencies(document)
    yield why.section(document)
    yield side.fleets(document)
    yield Section("What the figures rest on", tables=tuple(_provenance(document)))


def subtitle(document: dict[str, Any]) -> str:
    """Each design in a few words."""
    told = []
    for design in document["designs"]:
        fleet = ", ".join(f"{name} {accelerators(pool)}" for name, pool in design["pools"].items())
        told.append(f"{design['label']}: {design['model']['name']}, {fleet}")
    return " · ".join(told)


def tiles(document: dict[str, Any]) -> Iterator[Tile]:
    """The changes that a reader looks for first."""
    figures = {figure.label: figure for figure in differences.FIGURES}
    for change in document["changes"]:
        for label in TILES:
            entry = differences.found(change, figures[label])
            if entry and entry["relative"]:
                value, _, interval = changed(entry).partition(" [")
                before = f"{change['to']}: " if len(document["changes"]) > 1 else ""
                note = f"[{interval} in {change['confidence'] * 100:.4g} %" if interval else ""
                yield Tile(f"{before}{label}", value if value != "=" else "equal", note)


def _provenance(document: dict[str, Any]) -> Iterator[Table]:
    costs = {
        f"{design['label']} {pool}": cost
        for design in document["designs"]
        for pool, cost in design["cost"].items()
    }
    yield from provenance({"cost": costs, "workload": document["workload"]["provenance"]})


def _footing(document: dict[str, Any]) -> Iterator[str]:
    yield LIMITS
    hashes = ", ".join(f"{one['label']} {one['scenario']['hash'][:16]}" for one in document["designs"])
    versions = document["versions"]
    yield (
        f"Scenarios {hashes}; sim {versions['sim']}, numpy {versions['numpy']}. comparison.json beside this "
        "page holds the figures, the YAML files the designs."
    )
