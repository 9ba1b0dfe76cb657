"""The steps that ran, under the roof of their accelerators: how long, by intensity and FLOP/s."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator import arrow
from simulator.report.charts import BLUE, GREY, Axis, Cells, Chart, Series, Table, log_ticks
from simulator.report.colours import STEPS
from simulator.report.page import Section
from simulator.report.run.source import Source
from simulator.report.terminal import number, share
from simulator.results.columns import codes
from simulator.results.density import CELLS, NAMES
from simulator.results.gaps import Floats, Ints

STYLES = {"prefill": "triangles", "mixed": "squares", "decode": "points"}
LEAST = 1e-4  # of busy time: a cell that is drawn in the darkest colour


@dataclass(frozen=True, slots=True)
class Steps:
    """Cells of one pool. x, y: numbers of cells by log FLOP/byte and log FLOP/s; kind: of NAMES."""

    x: Ints
    y: Ints
    kind: Ints
    seconds: Floats

    def intensity(self) -> Floats:
        return np.asarray(10.0 ** ((self.x + 0.5) / CELLS))

    def flops_per_s(self) -> Floats:
        return np.asarray(10.0 ** ((self.y + 0.5) / CELLS))


def section(source: Source) -> Section:
    if source.density is None:
        return Section("Under the roof", ("This run was kept without what its steps did: run it again.",))
    found = {pool: steps(source, pool) for pool in source.summary["pools"]}
    charts = tuple(roof(source.summary, pool, cells) for pool, cells in found.items() if len(cells.x))
    without = [pool for pool, cells in found.items() if not len(cells.x)]
    text = tuple(
        f"{pool}: no steps whose work is known (its step times are given, or it was idle)."
        for pool in without
    )
    return Section("Under the roof", text, charts)


def steps(source: Source, pool: str) -> Steps:
    table = source.density
    assert table is not None
    own = codes(table["pool"], list(source.summary["pools"])) == list(source.summary["pools"]).index(pool)
    x, y = (
        np.rint(CELLS * np.log10(arrow.values(table[name])[own])).astype(np.int64)
        for name in ("intensity", "flops_per_s")
    )
    return Steps(x, y, codes(table["kind"], NAMES)[own], arrow.values(table["seconds"])[own])


def roof(summary: dict[str, Any], pool: str, cells: Steps) -> Chart:
    facts = next(one for one in summary["replicas"] if one["pool"] == pool)
    figures = summary["pools"][pool]
    low, high = float(cells.intensity().min()) / 2, max(float(cells.intensity().max()), figures["ridge"]) * 2
    lines = (*_roof(facts, figures, low, high), *(series for _, series in _means(cells)))
    side = (
        "under the ridge: bandwidth limits"
        if _under(cells, figures["ridge"]) > 0.5
        else "over the ridge: compute limits"
    )
    return Chart(
        f"roof-{list(summary['pools']).index(pool)}",
        f"{pool}: steps under the roof of {facts['accelerators']} × {figures['accelerator']}",
        f"{share(_under(cells, figures['ridge']))} of busy time lies under the ridge of "
        f"{number(figures['ridge'])} FLOP/byte; mostly {side}. Of the peaks, "
        f"{share(_of_busy(figures, 'mfu'))} of the FLOP/s and {share(_of_busy(figures, 'mbu'))} of the "
        "bandwidth are reached while it is busy.",
        Axis("FLOP per byte", log=True),
        Axis("TFLOP/s of a replica", log=True, ticks=log_ticks(min(lines[0].y), max(lines[0].y))),
        lines,
        _table(cells, facts, figures["ridge"]),
        cells=_density(cells),
        how="Every step's FLOPs and bytes as the cost model counts them, its duration as simulated; the "
        "colour is the share of all busy time, of the whole run, that steps in that cell took (a cell is a "
        "thirty-second of a decade wide and high; a run of equal decode steps lies at its mean). Marks: "
        "FLOPs over bytes and over time, of all steps of a kind, from the middles of cells. Roof: the "
        "datasheet's dense peak and bandwidth.",
    )


def _of_busy(figures: dict[str, Any], name: str) -> float | None:
    return figures[name] / figures["busy"] if figures["busy"] else None


def _under(cells: Steps, ridge: float) -> float:
    return float(cells.seconds[cells.intensity() < ridge].sum() / cells.seconds.sum())


def _roof(facts: dict[str, Any], figures: dict[str, Any], low: float, high: float) -> Iterator[Series]:
    peak, bandwidth = facts["flops_per_s"], facts["bytes_per_s"]
    x = [low, figures["ridge"], high]
    y = [min(peak, bandwidth * at) / 1e12 for at in x]
    yield Series("datasheet", x, y, "line", BLUE)
    yield Series(
        f"ridge {number(figures['ridge'])}", [figures["ridge"]] * 2, [y[0], peak / 1e12], "dotted", GREY
    )


def _means(cells: Steps) -> Iterator[tuple[str, Series]]:
    """Each kind of step as one point."""
    for kind, name in enumerate(NAMES):
        own = cells.kind == kind
        if own.any():
            intensity, rate, _ = _mean(cells, own)
            yield name, Series(f"{name}, mean", [intensity], [rate / 1e12], STYLES[name], STEPS[name])


def _mean(cells: Steps, own: Any) -> tuple[float, float, float]:
    """FLOP/byte, FLOP/s and seconds of some cells together."""
    seconds = cells.seconds[own]
    flops = float((seconds * cells.flops_per_s()[own]).sum())
    moved = float((seconds * cells.flops_per_s()[own] / cells.intensity()[own]).sum())
    return flops / moved, flops / float(seconds.sum()), float(seconds.sum())


def _density(cells: Steps) -> Cells:
    left, low = int(cells.x.min()), int(cells.y.min())
    columns, rows = int(cells.x.max()) - left + 1, int(cells.y.max()) - low + 1
    place = (cells.y - low) * columns + cells.x - left
    busy = np.bincount(place, cells.seconds, rows * columns).reshape(rows, columns) / cells.seconds.sum()
    most = float(busy.max())
    least = min(LEAST, most / 10)
    return Cells(
        "% of busy time",
        [10 ** (number / CELLS) for number in range(left, left + columns + 1)],
        [10 ** (number / CELLS) / 1e12 for number in range(low, low + rows + 1)],
        [[100 * value if value else None for value in row] for row in busy.tolist()],
        100 * least,
        100 * most,
        (f"{number(100 * least)}", f"{number(100 * most)}"),
        log=True,
    )


def _table(cells: Steps, facts: dict[str, Any], ridge: float) -> Table:
    rows = []
    for kind, name in enumerate(NAMES):
        own = cells.kind == kind
        if own.any():
            intensity, rate, seconds = _mean(cells, own)
            attainable = min(facts["flops_per_s"], facts["bytes_per_s"] * intensity)
            figures = (
                share(seconds / float(cells.seconds.sum())),
                number(intensity),
                number(rate / 1e12),
                share(rate / attainable),
                share(_under(_some(cells, own), ridge)),
            )
            rows.append((name, *figures))
    head = ("steps", "of busy time", "FLOP/byte", "TFLOP/s", "of the roof there", "under the ridge")
    return Table(head, rows)


def _some(cells: Steps, own: Any) -> Steps:
    return Steps(cells.x[own], cells.y[own], cells.kind[own], cells.seconds[own])
