"""The line that a long run draws: how far it is, how fast it goes, what is in the system, what is left."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from simulator.report.terminal import duration
from simulator.simulate import Moment

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE_S = 2.0  # a run that is over sooner draws nothing
REDRAWN_S = 0.25
WHOLE = 10_000  # parts of the bar
REMEMBERED_S = 10.0  # what the rate and the time left are told from


class Display:
    """What is known of the course of one run or of many; drawn on a terminal, now and then."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream = stream
        self.clock = clock
        self.runs = (0, 1)
        self.over = 0.0  # requests of runs that are over, as last seen
        self.past: deque[tuple[float, float, float]] = deque([(clock(), 0.0, 0.0)])  # time, share, requests
        self.drawn = clock() + PATIENCE_S - REDRAWN_S
        self.bar: Progress | None = None

    def within(self, moment: Moment) -> None:
        """Of the only run."""
        if self._due():
            self._draw(text_of(moment), moment.share, moment.ended, moment.sent - moment.ended)

    def across(self, done: int, planned: int) -> None:
        """Runs that are done."""
        self.runs = (done, planned)
        self.watch([])

    def watch(self, moments: list[Moment]) -> None:
        """Of those that go on, of many."""
        if not self._due():
            return
        done, planned = self.runs
        share = min((done + sum(moment.share for moment in moments)) / planned, 1.0)
        ended = sum(moment.ended for moment in moments)
        self.over += max(self.past[-1][2] - self.over - ended, 0.0)
        inside = sum(moment.sent - moment.ended for moment in moments)
        self._draw(f"{done} of {planned} runs", share, self.over + ended, inside)

    def close(self) -> None:
        """Takes the line away."""
        if self.bar is not None:
            self.bar.stop()

    def _due(self) -> bool:
        return self.clock() - self.drawn >= REDRAWN_S

    def _draw(self, text: str, share: float, ended: float, inside: float) -> None:
        now = self.drawn = self.clock()
        self.past.append((now, share, ended))
        while self.past[-1][0] - self.past[1][0] > REMEMBERED_S:
            self.past.popleft()
        then, share_then, ended_then = self.past[0]
        rate = max(ended - ended_then, 0.0) / (now - then)
        parts = [text, f"{rate:,.0f} requests/s", f"{inside:,.0f} in the system"]
        if share > share_then:
            parts.append(f"{_time((1 - share) * (now - then) / (share - share_then))} left")
        self._line(" · ".join(parts), share)

    def _line(self, text: str, share: float) -> None:
        if self.bar is None:
            self.bar = _bar(self.stream)
            self.bar.add_task(text, total=WHOLE, completed=round(share * WHOLE))
            self.bar.start()
            return
        self.bar.update(self.bar.task_ids[0], completed=round(share * WHOLE), description=text)
        self.bar.refresh()


def text_of(moment: Moment) -> str:
    """How far a run is."""
    return f"{moment.ended:,.0f} of {moment.total:,.0f} requests · {_time(moment.simulated_s)} simulated"


def _time(seconds: float) -> str:
    return duration(seconds) if seconds >= 120 else f"{seconds:.0f} s"


def _bar(stream: TextIO) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.table import Column

    text = TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1))
    columns = (BarColumn(bar_width=12), TaskProgressColumn(), text)
    return Progress(*columns, console=Console(file=stream), auto_refresh=False, transient=True, expand=True)


@contextmanager
def shown(stream: TextIO) -> Iterator[Display]:
    """A display on a terminal, gone at the end."""
    display = Display(stream)
    try:
        yield display
    finally:
        display.close()
