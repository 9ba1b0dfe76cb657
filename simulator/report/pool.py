"""One pool on one screen of a terminal: what limits it, what would relieve it, its replicas, its course."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from simulator.report.sparks import spark
from simulator.report.terminal import accelerators, number, share
from simulator.results.pool_course import PoolCourse

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

NAMES = {"kv_capacity": "KV capacity", "max_num_seqs": "max_num_seqs", "link": "transfer link"}
NARROW, TINY = 72, 48
LEAST = 0.01  # shares under it are not worth a line unless they would help
HELPS = 0.99
MOST_REPLICAS = 8
COURSES = {"busy": "busy", "running": "running", "waiting": "waiting", "kv_use": "KV use"}


def show(summary: dict[str, Any], name: str, course: PoolCourse, console: Console) -> None:
    """Prints pool `name` of a run."""
    from rich.text import Text

    pool = summary["pools"][name]
    title = f"{name}, {accelerators(pool)}, {summary['engines'][name]}: {summary['verdict']['limits'][name]}"
    console.print(Text(title, style="bold"))
    wide = console.width >= NARROW
    console.print(limits(pool, wide))
    for resource, _, _, knob in () if wide else rows(pool):
        console.print(Text(f"{resource}: {knob}"))
    for text in figures(pool):
        console.print(Text(text))
    console.print(replicas(course, console.width >= TINY))
    width = max(len(label) for label in COURSES.values())
    for key, label in COURSES.items():
        most = 1.0 if key in {"busy", "kv_use"} else None
        top = share(max(_known(course.courses[key]))) if most else number(max(_known(course.courses[key])))
        console.print(Text(f"{label:{width}} {spark(course.courses[key], most)} up to {top}"))
    bound = "resources bind shares of busy time; KV capacity, max_num_seqs and the link of all time"
    console.print(Text(f"from 0 to {course.end_s:,.4g} s, means over replicas; {bound}", style="dim"))


def _known(values: list[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)] or [0.0]


def limits(pool: dict[str, Any], knobs: bool) -> Table:
    """A row a resource: how much it binds, what twice as much of it would do to the load, and the knob."""
    table = _table("resource", "binds", "load with 2 ×")
    if knobs:
        table.add_column("knob", overflow="fold")
    for name, binds, change, knob in rows(pool):
        table.add_row(name, binds, change, *([knob] if knobs else []))
    return table


def rows(pool: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Resources that bind or whose doubling would help, the strongest first."""
    found = pool["limits"]
    shares = {name: value or 0.0 for name, value in found["shares"].items()}
    for name in sorted(shares, key=lambda one: -shares[one]):
        load = found["load_with"].get(name)
        if shares[name] < LEAST and (load is None or load > HELPS * found["load"]):
            continue
        change = f"{number(found['load'])} → {number(load)}" if load is not None else "–"
        yield NAMES.get(name, name.replace("_", " ")), share(shares[name]), change, found["relief"][name]


def figures(pool: dict[str, Any]) -> Iterator[str]:
    """What its replicas did, on average."""
    kinds = ("prefill", "mixed", "decode")
    shares = [share(pool[f"{kind}_share"]) for kind in kinds]
    yield f"busy {share(pool['busy'])}: {shares[0]} only prefill, {shares[1]} mixed, {shares[2]} only decode"
    running = f"running {number(pool['running'])} of {pool['max_num_seqs']:,}"
    cache = f"KV {share(pool['kv_use'])}, peak {share(pool['kv_peak'])}"
    yield f"batch {number(pool['batch_size'])} · {running} · waiting {number(pool['waiting'])} · {cache}"
    yield (
        f"MFU {share(pool['mfu'])} · MBU {share(pool['mbu'])} · {number(pool['intensity'])} FLOP/byte, "
        f"ridge {number(pool['ridge'])}"
    )


def replicas(course: PoolCourse, mean: bool) -> Table:
    """A row a replica; of many the busiest and the idlest. mean: with the mean of KV use, beside its peak."""
    cache = ("KV", "peak") if mean else ("KV peak",)
    table = _table("replica", "busy", "running", "waiting", *cache)
    names = sorted(course.replicas, key=lambda one: -course.replicas[one]["busy"])
    shown = names if len(names) <= MOST_REPLICAS else [*names[:3], "…", *names[-3:]]
    for name in sorted(shown, key=list(course.replicas).index) if len(names) <= MOST_REPLICAS else shown:
        own = course.replicas.get(name)
        if own is None:
            table.add_row(f"… {len(names) - 6} more", *[""] * (3 + len(cache)))
            continue
        cells = [share(own["busy"]), number(own["running"]), number(own["waiting"])]
        cells += [share(own["kv_use"])] if mean else []
        table.add_row(name, *cells, share(own["kv_peak"]))
    return table


def _table(first: str, *others: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
