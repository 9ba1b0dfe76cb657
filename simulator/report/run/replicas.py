"""What each replica did over time, and what kinds of steps its pool ran."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from simulator.report.charts import Axis, Cells, Chart, Series, Table, brief
from simulator.report.colours import STEPS
from simulator.report.page import Section
from simulator.report.run.source import Course, Source
from simulator.report.terminal import number, share
from simulator.results.gaps import Floats, Ints

ROWS = 24  # at most; more replicas are put together
PARTS = 6  # of time, in the tables


class Kind(NamedTuple):
    """A figure of replicas that is shown as colours over time."""

    key: str
    title: str
    unit: str
    percent: bool
    how: str


KINDS = (
    Kind("running", "Batch: requests being served", "requests", False,
         "Time averages of the requests between their first step on the replica and their last, in each "
         "slice of time of the first replication."),
    Kind("kv_use", "KV cache in use", "% of blocks", True,
         "Blocks in use / all blocks, time averages in each slice; idle time counts as none. Blocks that "
         "only the prefix cache holds are free."),
    Kind("prefill_share", "Steps with prompts in them", "% of time", True,
         "Share of each slice of time in which a step ran that computed prompt tokens, with or without "
         "decodes beside them."),
)  # fmt: skip


def section(source: Source, course: Course) -> Section:
    rows = grouped(source.summary["replicas"])
    charts = [heat(course, kind, rows) for kind in KINDS]
    charts += [shares(source, course, pool) for pool in source.summary["pools"]]
    text = (
        []
        if len(rows) == len(source.replicas())
        else [f"{len(source.replicas())} replicas in {len(rows)} rows."]
    )
    return Section("Replicas", tuple(text), tuple(charts))


def grouped(replicas: list[dict[str, str]]) -> list[tuple[str, Ints]]:
    """Rows of replicas that are shown together, neighbours of one pool; name and numbers of each."""
    size = -(-len(replicas) // ROWS)
    found = []
    for pool in dict.fromkeys(one["pool"] for one in replicas):
        numbers = [index for index, one in enumerate(replicas) if one["pool"] == pool]
        for start in range(0, len(numbers), size):
            some = numbers[start : start + size]
            first, last = (replicas[index]["name"] for index in (some[0], some[-1]))
            name = first if len(some) == 1 else f"{first} … {last.rpartition('/')[2]}"
            found.append((name, np.array(some)))
    return found


def heat(course: Course, kind: Kind, rows: list[tuple[str, Ints]]) -> Chart:
    """A row a replica, coloured by a figure over time."""
    whole = _values(course, kind.key) * (100 if kind.percent else 1)
    values = np.array([whole[numbers].mean(axis=0) for _, numbers in rows])
    names = [name for name, _ in reversed(rows)]
    most = float(values.max())
    high = most or 1.0
    cells = Cells(
        kind.unit,
        course.shown(course.edges),
        [index - 0.5 for index in range(len(rows) + 1)],
        values[::-1].tolist(),
        0.0,
        high,
        ("0", number(high)),
        names=names,
    )
    mean = np.average(values, axis=1, weights=course.width())
    return Chart(
        f"replicas-{kind.key.replace('_', '-')}",
        f"{kind.title}, {kind.unit}",
        f"On average {number(float(mean.min()))} to {number(float(mean.max()))}, at most {number(most)} in a "
        "slice of time.",
        Axis(course.unit, padding=0.0),
        Axis("", categories=tuple(map(brief, names)), ends=(-0.5, len(rows) - 0.5)),
        (),
        _table(course, rows, values),
        height=90 + 26 * len(rows),
        cells=cells,
        how=kind.how + ("" if len(rows) == len(whole) else " Rows of several replicas: their mean."),
    )


def _values(course: Course, key: str) -> Floats:
    if key == "prefill_share":
        return course.share("prefill_share") + course.share("mixed_share")
    return course.mean(key)


def _table(course: Course, rows: list[tuple[str, Ints]], values: Floats) -> Table:
    """Mean, extremes, and the mean of each part of the time."""
    width = course.width()
    parts = np.array_split(np.arange(len(width)), min(PARTS, len(width)))
    starts = [number(course.shown(course.edges[part[:1]])[0]) for part in parts]
    head = ("replica", "mean", "least", "most", *(f"from {start} {course.unit}" for start in starts))
    body = []
    for (name, _), row in zip(rows, values, strict=True):
        means = [np.average(row[part], weights=width[part]) for part in parts]
        figures = [np.average(row, weights=width), row.min(), row.max(), *means]
        body.append((name, *(number(float(figure)) for figure in figures)))
    return Table(head, body)


def shares(source: Source, course: Course, pool: str) -> Chart:
    """Of a pool's time, what is spent in which kind of step."""
    own = [index for index, one in enumerate(source.summary["replicas"]) if one["pool"] == pool]
    kinds = {kind: 100 * course.share(f"{kind}_share")[own].mean(axis=0) for kind in STEPS}
    figures = source.summary["pools"][pool]
    told = [f"{share(figures[f'{kind}_share'])} {words}" for kind, words in _WORDS.items()]
    return Chart(
        f"shares-{list(source.summary['pools']).index(pool)}",
        f"{pool}: what its time goes to",
        f"Busy {share(figures['busy'])} of the time after the warm-up; of that, {', '.join(told)}.",
        Axis(course.unit, padding=0.0),
        Axis("% of time", ends=(0.0, 100.0)),
        tuple(_stacked(course, kinds)),
        Table(
            (f"from, {course.unit}", *(f"{kind}, %" for kind in kinds)),
            [
                tuple(number(float(value)) for value in row)
                for row in zip(course.shown(course.edges[:-1]), *kinds.values(), strict=True)
            ],
        ),
        height=260,
        how="Time in steps that only prefill, that do both, that only decode / the replicas' time, in each "
        "slice of time of the first replication; the rest is idle. Shares in the sentence: means over "
        "replications.",
    )


_WORDS = {"prefill": "in prompts alone", "mixed": "in both", "decode": "in decodes alone"}


def _stacked(course: Course, kinds: dict[str, Floats]) -> Iterator[Series]:
    below = np.zeros(len(course.width()))
    for kind, values in kinds.items():
        yield Series(kind, course.middles(), values.tolist(), "area", STEPS[kind], bottom=below.tolist())
        below = below + values
