"""What changes, metric by metric, with intervals; and the figures side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from simulator.report.charts import GREY, Axis, Chart, Series, Table
from simulator.report.colours import DESIGNS
from simulator.report.compare import changed, metric_cells, won
from simulator.report.page import Section
from simulator.report.terminal import between, number, scaled
from simulator.results.metrics import DISTRIBUTIONS, SCALARS

BETTER = {metric.name: metric.better for metric in (*DISTRIBUTIONS, *SCALARS)}
ARROWS = {"lower": "↓", "higher": "↑", "": ""}
DODGE = 0.22  # between the designs on one line


class Figure(NamedTuple):
    """One that is compared; key: of a distribution."""

    label: str
    name: str
    key: str = ""


FIGURES = (
    Figure("TTFT p50", "ttft_s", "p50"),
    Figure("TTFT p99", "ttft_s", "p99"),
    Figure("TPOT p50", "tpot_s", "p50"),
    Figure("TPOT p99", "tpot_s", "p99"),
    Figure("ITL p99", "itl_s", "p99"),
    Figure("E2E p99", "e2e_s", "p99"),
    Figure("goodput/accelerator", "goodput_per_accelerator"),
    Figure("goodput per $", "goodput_per_usd"),
    Figure("$/M tokens", "usd_per_million_tokens"),
    Figure("J/M tokens", "joules_per_million_tokens"),
)


def section(document: dict[str, Any]) -> Section:
    text = [f"{change['to']}: {change['refused']}" for change in document["changes"] if change["refused"]]
    head, rows = metric_cells(document)
    side = Table(("figure", *head[1:]), rows, title="Side by side", how=_how(document))
    return Section("What changes", tuple(text), (forest(document),), (side, every(document)))


def found(change: dict[str, Any], figure: Figure) -> dict[str, Any] | None:
    """A figure's change; None where it cannot be told."""
    entry = change["metrics"][figure.name]
    entry = entry[figure.key] if figure.key and entry else entry
    return entry if entry and "difference" in entry else None


def forest(document: dict[str, Any]) -> Chart:
    """Relative changes from the first design, a line a figure."""
    changes = document["changes"]
    shown = [one for one in FIGURES if any(_relative(change, one) for change in changes)]
    names = [f"{one.label} {ARROWS[BETTER[one.name]]}" for one in reversed(shown)]
    series = [
        _points(change, number_, list(reversed(shown)), len(changes))
        for number_, change in enumerate(changes)
    ]
    line = Series("no change", [0.0, 0.0], [-0.5, len(names) - 0.5], "dotted", GREY)
    base = document["designs"][0]["label"]
    return Chart(
        "changes",
        f"Changes from {base}, with intervals",
        " ".join(_sentence(change, shown) for change in changes),
        Axis(f"% of {base}"),
        Axis("", categories=tuple(names), ends=(-0.6, len(names) - 0.4)),
        (*series, line),
        _table(document, shown),
        height=110 + len(names) * (22 + 12 * len(changes)),
        how=f"{_how(document)} ↓: lower is better, ↑: higher is. An interval without 0 shows a difference.",
    )


def _relative(change: dict[str, Any], figure: Figure) -> dict[str, Any] | None:
    entry = found(change, figure)
    return entry["relative"] if entry else None


def _points(change: dict[str, Any], number_: int, shown: list[Figure], many: int) -> Series:
    x, y, low, high, names = [], [], [], [], []
    for place, figure in enumerate(shown):
        entry = found(change, figure)
        if entry and entry["relative"]:
            x.append(100 * (entry["b"] / entry["a"] - 1))
            y.append(place + DODGE * ((many - 1) / 2 - number_))
            low.append(100 * entry["relative"]["low"])
            high.append(100 * entry["relative"]["high"])
            names.append(f"{change['to']}, {figure.label}: {changed(entry)}")
    return Series(
        change["to"], x, y, "ranges", DESIGNS[(number_ + 1) % len(DESIGNS)], names, low=low, high=high
    )


def _sentence(change: dict[str, Any], shown: list[Figure]) -> str:
    told = [one.label for one in shown if (entry := found(change, one)) and entry["shown"]]
    return f"{change['to']}: a difference is shown of {', '.join(told) if told else 'nothing'}."


def _table(document: dict[str, Any], shown: list[Figure]) -> Table:
    rows = [row for change in document["changes"] for figure in shown for row in _row(change, figure)]
    head = ("figure", "design", "from", "to", "difference", "relative", "wins", "shown")
    return Table(head, rows, (0, 1))


def _row(change: dict[str, Any], figure: Figure) -> Iterator[tuple[str, ...]]:
    entry = found(change, figure)
    if entry is None:
        return
    scale, unit = scaled(entry["a"] or entry["b"]) if figure.name.endswith("_s") else (1.0, "")
    yield (
        f"{figure.label} {unit}".strip(),
        change["to"],
        number(entry["a"], scale),
        number(entry["b"], scale),
        between(entry["difference"], scale),
        changed(entry),
        won(entry),
        "yes" if entry["shown"] else "no",
    )


def every(document: dict[str, Any]) -> Table:
    """All metrics with one value."""
    figures = [Figure(metric.name, metric.name) for metric in SCALARS]
    rows = [row for change in document["changes"] for figure in figures for row in _row(change, figure)]
    head = ("figure", "design", "from", "to", "difference", "relative", "wins", "shown")
    return Table(head, rows, (0, 1), title="Every figure with one value", how=_how(document), folded=True)


def _how(document: dict[str, Any]) -> str:
    method, warm = document["method"], document["warmup"]
    cut = f"the first {warm['cut_s']:.4g} s of every run ({warm['method']})" if warm["cut_s"] else "nothing"
    return (
        f"{method[0].upper()}{method[1:]}, at {document['changes'][0]['confidence'] * 100:.4g} %; relative "
        f"changes are of the means over replications. Left out as warm-up: {cut}. Wins: pairs in which the "
        "design is better."
    )
