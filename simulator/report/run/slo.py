"""Whether the objectives are kept: by each bound, and over time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator import arrow
from simulator.report.charts import BLUE, ORANGE, Axis, Chart, Series, Table
from simulator.report.page import Section
from simulator.report.run.source import Course, Source, warm_up
from simulator.report.terminal import LATENCIES, between, number, scaled
from simulator.results.columns import codes
from simulator.results.gaps import Floats
from simulator.results.record import FINISHED, STATES, UNFINISHED

Flags = NDArray[np.bool_]


def section(source: Source, course: Course) -> Section:
    slo = source.summary["slo"]
    if slo is None:
        return Section(
            "Objectives", ("The scenario names no SLO; slo: {ttft: 2 s, tpot: 50 ms} would be one.",)
        )
    text = []
    if source.summary["saturation"]["saturated"]:
        text.append("The queue grows without end, so no share of requests is the steady one.")
    charts = (outside(source.summary), over_time(source, course))
    return Section("Objectives", tuple(text), charts)


def outside(summary: dict[str, Any]) -> Chart:
    """Shares that break each bound, against what is allowed."""
    slo, rows = summary["slo"], bound_rows(summary)
    names = tuple(name for name, *_ in reversed(rows))
    y = [float(index) for index in range(len(names))]
    missed = breaking(rows)[::-1]
    allowed = 100 * (1 - slo["attainment"])
    series = (
        Series("outside", missed, y, "across", BLUE, width=0.5),
        Series("allowed", [allowed] * 2, [-0.5, len(names) - 0.5], "dashed", ORANGE),
    )
    worst = min((row for row in rows if row[1] is not None), key=lambda row: row[1] or 0.0, default=rows[-1])
    return Chart(
        "slo",
        f"Requests that break each bound; {allowed:.4g} % may",
        f"{worst[0]}: {_percent(worst[1])} keep it, {_percent(slo['attainment'])} are asked.",
        Axis("% of requests outside", ends=(0.0, 1.08 * float(np.nanmax([allowed, *missed, 0.01])))),
        Axis("", categories=names, padding=0.2),
        series,
        Table(("bound", "kept by", "interval", "asked"), [_cells(row, slo["attainment"]) for row in rows]),
        height=120 + 40 * len(names),
        how="Requests that came to an end and were sent after the warm-up; one that fails keeps no bound, a "
        "one-token answer has no TPOT and keeps it. ITL: of all gaps between tokens. All together: the "
        f"attainment of summary.json, {_interval_words(summary)}.",
    )


Row = tuple[str, float | None, dict[str, Any] | None]


def bound_rows(summary: dict[str, Any]) -> list[Row]:
    """Name, share that keeps it, interval of that."""
    bounds, kept = summary["slo"]["bounds"], summary["slo"]["kept"]
    rows: list[Row] = []
    for name, bound in bounds.items():
        scale, unit = scaled(bound)
        rows.append((f"{LATENCIES[name]} ≤ {bound * scale:g} {unit}", kept[name], None))
    whole = summary["metrics"]["attainment"]
    return [*rows, ("all together", whole["value"], whole["interval"])]


def breaking(rows: list[Row]) -> list[float]:
    """Per cent of requests that break each bound; not a number where that is not given."""
    return [math.nan if kept is None else 100 * (1 - kept) for _, kept, _ in rows]


def _cells(row: Row, asked: float) -> tuple[str, ...]:
    name, kept, interval = row
    return name, _percent(kept), f"{between(interval, 100)} %" if interval else "–", _percent(asked)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.4g} %"


def _interval_words(summary: dict[str, Any]) -> str:
    interval = summary["metrics"]["attainment"]["interval"]
    return f"its interval by {interval['method']}" if interval else "which has no interval here"


def over_time(source: Source, course: Course) -> Chart:
    """The share of requests within the SLO, by when they were sent."""
    sent, meets, counted = _meeting(source)
    good, all_ = course.counted(sent[meets]), course.counted(sent[counted])
    with np.errstate(invalid="ignore"):
        share = 100 * good / np.where(all_ > 0, all_, np.nan)
    x, asked = course.middles(), 100 * source.summary["slo"]["attainment"]
    known = share[~np.isnan(share)]
    least = f"{known.min():.3g} %" if len(known) else "–"
    return Chart(
        "slo-time",
        "Requests within the SLO, by when they were sent",
        f"In the worst slice of time {least} keep it.",
        Axis(course.unit, padding=0.02),
        Axis("% of requests", ends=(0.0, 102.0)),
        (
            Series("within the SLO", x, share.tolist(), "line", BLUE),
            Series("asked", [x[0], x[-1]], [asked, asked], "dashed", ORANGE),
        ),
        Table(
            (f"from, {course.unit}", "requests", "within the SLO"),
            [
                (number(at), f"{n:,.0f}", "–" if np.isnan(part) else f"{part:.4g} %")
                for at, n, part in zip(course.shown(course.edges[:-1]), all_, share, strict=True)
            ],
        ),
        bands=warm_up(source, course),
        height=260,
        how="Of the requests sent in each slice of time of the first replication that came to an end, those "
        "within every bound on TTFT, TPOT and E2E; the warm-up is shown, too.",
    )


def _meeting(source: Source) -> tuple[Floats, Flags, Flags]:
    """Of the first replication: when requests were sent, which keep the SLO, which came to an end."""
    first = source.replication(0)
    state = codes(first["state"], STATES)
    meets = state == FINISHED
    for name, bound in source.summary["slo"]["bounds"].items():
        if name != "itl_s":
            values = arrow.values(first[name])
            meets &= (values <= bound) | (np.isnan(values) & (name == "tpot_s"))
    return arrow.values(first["sent_s"]), meets, state != UNFINISHED
