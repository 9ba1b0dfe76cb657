"""Where the time of requests goes: of all, and of the slowest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from simulator.report.charts import Axis, Chart, Series, Table, brief
from simulator.report.colours import PARTS
from simulator.report.page import Section
from simulator.report.run.source import Source
from simulator.report.terminal import number
from simulator.results.decomposition import Decomposition, decompose
from simulator.results.parts import WATERFALL
from simulator.results.statistics import mean

GROUPS = {"mean": "all", "ttft_s": "slowest by TTFT", "tpot_s": "slowest by TPOT", "e2e_s": "slowest by E2E"}
NEGLIGIBLE = 1e-9  # seconds: below the grid of times
Bars = Mapping[str, Mapping[str, float | None]]
"""Seconds of each part, by the bar's name."""

MEANING = (
    "queue: before the first step that works on a request; own prefill: its share, by tokens, of the steps "
    "that compute its prompt; others' prefill: the rest of that time; wait for decode, KV transfer: between "
    "the end of the prompt on one replica and the first step on another; own decode: its steps as if all "
    "only decoded; stretched decode: what others' prompts added to them; preempted: from losing its blocks "
    "to its next token. The parts of each request sum to its E2E exactly."
)


def section(source: Source) -> Section:
    text = []
    if source.summary["saturation"]["saturated"]:
        text.append("The queue grows without end: how long requests wait depends on how long the run is.")
    return Section("Where the time goes", tuple(text), (chart(source),))


def chart(source: Source) -> Chart:
    many = [decompose(source.replication(r), source.cut_s) for r in range(source.summary["replications"])]
    found = {label: _means(many, group) for group, label in GROUPS.items()}
    return bars(
        "waterfall",
        "Where the time of requests goes, mean seconds",
        found,
        f"Finished requests sent after the warm-up; the slowest 1 % by each latency, at least one. {MEANING}",
    )


def bars(key: str, title: str, found: Bars, how: str) -> Chart:
    """Bars of stacked parts; parts that are nowhere are left out."""
    names = list(found)
    y = [float(len(names) - 1 - index) for index in range(len(names))]
    shown = [part for part in WATERFALL if any((found[name][part] or 0.0) > NEGLIGIBLE for name in names)]
    below = np.zeros(len(names))
    series = []
    for part in shown:
        values = np.array([found[name][part] or 0.0 for name in names])
        label, colour, hatched = PARTS[part]
        series.append(
            Series(label, values.tolist(), y, "across", colour, [f"{label}, {name}" for name in names],
                   width=0.7, bottom=below.tolist(), hatched=hatched)
        )  # fmt: skip
        below = below + values
    head = ("mean seconds", *names)
    rows = [(PARTS[part][0], *(number(found[name][part]) for name in names)) for part in shown]
    rows.append(("together", *(number(float(total)) for total in below)))
    return Chart(
        key,
        title,
        "; ".join(_largest(name, found[name]) for name in names) + ".",
        Axis("s", ends=(0.0, 1.04 * (float(below.max()) or 1.0))),
        Axis("", categories=tuple(map(brief, reversed(names))), padding=0.2),
        tuple(series),
        Table(head, rows),
        height=100 + 44 * len(names),
        how=how,
    )


def _means(replications: Sequence[Decomposition], group: str) -> dict[str, float]:
    known = {part: [one[group][part] for one in replications] for part in WATERFALL}
    return {
        part: mean([value for value in values if not np.isnan(value)] or [0.0])
        for part, values in known.items()
    }


def _largest(name: str, parts: Mapping[str, float | None]) -> str:
    total = sum(value or 0.0 for value in parts.values())
    part = max(parts, key=lambda one: parts[one] or 0.0)
    share = (parts[part] or 0.0) / total if total else 0.0
    return f"{name}: {number(total)} s, most of it {PARTS[part][0]} ({100 * share:.0f} %)"
