"""The progress bar of a long run: requests done, simulated time, what is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

REFRESH_S = 0.1


@contextmanager
def bar(replications: int) -> Iterator[Callable[[int], Callable[[float, int, int], None]]]:
    """Yields report(replication) → callback(simulated seconds, requests ended, requests) that draws."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn(
            "{task.completed:,.0f} of {task.total:,.0f} requests, {task.fields[simulated]:,.0f} s simulated"
        ),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as progress:
        task = progress.add_task("", total=1, visible=False, simulated=0.0)
        drawn = 0.0

        def of(number: int) -> Callable[[float, int, int], None]:
            title = f"replication {number + 1} of {replications}" if replications > 1 else "simulating"

            def report(simulated: float, done: int, total: int) -> None:
                nonlocal drawn
                now = time.monotonic()
                if now - drawn < REFRESH_S:
                    return
                drawn = now
                progress.update(
                    task, description=title, completed=done, total=total, simulated=simulated, visible=True
                )
                progress.refresh()

            return report

        yield of
