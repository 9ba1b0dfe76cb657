"""The study as one page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from simulator.report import page
from simulator.report.charts import Table
from simulator.report.page import Page, Section
from simulator.report.roofline import figures, tables, words
from simulator.study.roofline.study import Answer


def html(found: Answer) -> str:
    """The page's text: charts, a table behind each, nothing from a network."""
    return page.render(
        Page(
            f"Roofline of {found.fit.model} on {found.fit.accelerator}",
            words.title(found),
            tuple(words.verdicts(found)),
            tuple(_sections(found)),
            tuple(words.footing(found)),
        )
    )


def _sections(found: Answer) -> Iterator[Section]:
    yield Section(
        "Under the roof",
        charts=(figures.roofline(found),),
        tables=(replace(tables.roofs(words.roofs_shown(found)), title="Ridge points, FLOP per byte"),),
        notes=tuple(words.on_roofs()),
    )
    yield Section("Decode", charts=(figures.decode(found),), notes=tuple(words.on_zones(found)))
    yield Section(
        "Prefill",
        charts=(figures.prefill(found), figures.prefill_time(found)),
        notes=tuple(words.on_prefill(found)),
    )
    yield Section("Quantisation", charts=(figures.quantisation(found),), notes=tuple(words.on_formats(found)))
    yield Section(
        "Hardware",
        charts=(figures.dollars(found),),
        tables=(replace(tables.speeds(found.hardware), title=words.speed_heading(found)),),
        notes=tuple(words.on_speeds(found)),
    )
    if found.bills:
        yield Section("Traffic", charts=(figures.bills(found),), notes=tuple(words.on_bills(found)))
    yield Section("Where the times come from", tables=(_sources(found),))


def _sources(found: Answer) -> Table:
    rows = [
        (name, rate["kind"], f"{rate['median_pct']:.3g} %", f"{rate['p90_pct']:.3g} %", rate["source"])
        for name, rate in found.provenance["ops"].items()
    ]
    return Table(("kernels", "", "median error", "p90 error", "source"), rows, (0, 1, 4))
