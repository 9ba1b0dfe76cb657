"""What goes in and out, and what waits, over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator import arrow
from simulator.report.charts import BLUE, ORANGE, PURPLE, Axis, Chart, Series, Table
from simulator.report.page import Section
from simulator.report.run.source import Course, Source, warm_up
from simulator.report.terminal import number
from simulator.results.gaps import Floats

Lines = Sequence[tuple[str, Floats, str, str]]
"""Name, values, colour, style of each."""


def section(source: Source, course: Course) -> Section:
    many = source.summary["replications"]
    text = (f"The first of {many} replications.",) if many > 1 else ()
    return Section(
        "Over time", text, (requests(source, course), tokens(source, course), queue(source, course))
    )


def requests(source: Source, course: Course) -> Chart:
    first, width = source.replication(0), course.width()
    sent, finish = (arrow.values(first[name]) for name in ("sent_s", "finish_s"))
    lines = (
        ("sent", course.counted(sent) / width, BLUE, "line"),
        ("come to an end", course.counted(finish) / width, ORANGE, "dashed"),
    )
    rates = source.summary["saturation"]
    return _chart(
        source,
        course,
        ("requests", "Requests per second", "requests/s"),
        f"{number(rates['offered_per_s'])} requests/s arrive, {number(rates['served_per_s'])} are served "
        "in the second half of the arrivals.",
        lines,
        "Requests sent, and requests that came to any end, in each slice of time / its width.",
    )


def tokens(source: Source, course: Course) -> Chart:
    prefill, decode = (
        course.total(name).sum(axis=0) / course.width() for name in ("prefill_tokens", "decode_tokens")
    )
    lines = (
        ("prompt tokens computed", prefill, PURPLE, "dashed"),
        ("tokens decoded", decode, ORANGE, "line"),
    )
    return _chart(
        source,
        course,
        ("tokens", "Tokens per second", "tokens/s"),
        f"At most {number(float(prefill.max()))} prompt tokens/s and {number(float(decode.max()))} output "
        "tokens/s of the fleet.",
        lines,
        "Tokens of the steps that ended in each slice of time / its width, all replicas together. Prompt "
        "tokens found in a prefix cache are not computed; those computed again after a preemption count "
        "again.",
    )


def queue(source: Source, course: Course) -> Chart:
    running, waiting = (course.mean(name).sum(axis=0) for name in ("running", "waiting"))
    lines = (("being served", running, BLUE, "line"), ("waiting", waiting, ORANGE, "dashed"))
    return _chart(
        source,
        course,
        ("queue", "Requests in the fleet", "requests"),
        f"On average {number(float(np.average(waiting, weights=course.width())))} wait and "
        f"{number(float(np.average(running, weights=course.width())))} are served; at most "
        f"{number(float(waiting.max()))} wait.",
        lines,
        "Time averages in each slice, all replicas together: served from the first step that works on a "
        "request to its last token, else waiting. Exact from the requests' own times, not sampled.",
    )


def _chart(
    source: Source, course: Course, names: tuple[str, str, str], summary: str, lines: Lines, how: str
) -> Chart:
    key, title, unit = names
    x = course.middles()
    series = tuple(Series(name, x, values.tolist(), style, colour) for name, values, colour, style in lines)
    head = (f"from, {course.unit}", *(name for name, *_ in lines))
    columns = [course.shown(course.edges[:-1]), *(values for _, values, *_ in lines)]
    rows = [tuple(number(float(value)) for value in row) for row in zip(*columns, strict=True)]
    bands = warm_up(source, course)
    axis = Axis(course.unit, padding=0.02)
    return Chart(key, title, summary, axis, Axis(unit), series, Table(head, rows), bands, height=280, how=how)
