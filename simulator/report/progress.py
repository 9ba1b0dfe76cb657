"""The progress bar of a long run: what is done, what is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

REFRESH_S = 0.1

Within = Callable[[float, int, int], None]
"""within(simulated seconds, requests ended, requests)."""
Across = Callable[[int, int], None]
"""across(runs done, runs planned)."""


@contextmanager
def bar() -> Iterator[tuple[Within, Across]]:
    """Yields two functions that draw: the one the course of a single run, the other that of many."""
    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn(compact=True))
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as progress:
        task = progress.add_task("", total=1, visible=False)
        drawn = 0.0

        def within(simulated: float, done: int, total: int) -> None:
            nonlocal drawn
            now = time.monotonic()
            if now - drawn >= REFRESH_S:
                drawn = now
                draw(f"{done:,} of {total:,} requests, {simulated:,.0f} s simulated", done, total)

        def across(done: int, total: int) -> None:
            draw(f"{done} of {total} runs", done, total)

        def draw(text: str, done: int, total: int) -> None:
            progress.update(task, description=text, completed=done, total=total, visible=True)
            progress.refresh()

        yield within, across
