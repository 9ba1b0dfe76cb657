"""One map over points, in processes of their own: the same results, in the same order, on any number of them.

A point carries all that its result depends on, so it does not matter who computes it, or when.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.resource_tracker import ensure_running
from typing import Any, Protocol, TypeVar

from simulator import interrupt
from simulator.simulate import Moment
from simulator.study.worker import DONE, FAILED, TELLER, Worker

Point = TypeVar("Point")
Result = TypeVar("Result")
Watch = Callable[[list[Moment]], None]
"""watch(where each run is that goes on now)."""

LOOK_S = 0.25  # how often the parent looks up while it waits
GRACE_S = 10.0  # what workers have to end their runs in, once they are told


class Map(Protocol):
    def __call__(self, work: Callable[[Point], Result], points: Sequence[Point]) -> Iterator[Result]:
        """work(point) of every point, in their order, each as soon as those before it are there.

        work is a module's function, and raises here what it raises there. An interruption ends the runs that
        go on; the results of points up to the first that could not end follow, then KeyboardInterrupt.
        """


def here(work: Callable[[Point], Result], points: Sequence[Point]) -> Iterator[Result]:
    """The map over this process alone."""
    return map(work, points)


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def workers(count: int, watch: Watch | None = None) -> Iterator[Map]:
    """A map over `count` processes, started when first needed and kept for the next map; one: this process.

    watch: called now and then. They are spawned, not forked: Arrow's and numpy's threads do not survive a
    fork.
    """
    pool = Pool(count, watch)
    teller = TELLER.set((lambda moment: watch([moment])) if watch else None)

    def run(work: Callable[[Point], Result], points: Sequence[Point]) -> Iterator[Result]:
        if min(count, len(points)) <= 1:
            return here(work, points)
        return pool.results(work, points)

    try:
        yield run
    finally:
        TELLER.reset(teller)
        pool.close()


class Pool:
    """The processes. Each has a pipe of its own: one that is ended half-way disturbs no other."""

    def __init__(self, count: int, watch: Watch | None) -> None:
        self.count = count
        self.watch = watch
        self.workers: list[Worker] = []
        self.deadline: float | None = None  # once interrupted

    def close(self) -> None:
        """Ends those that wait for work."""
        for worker in self.workers:
            worker.close()
        self.workers = []

    def results(self, work: Callable[[Point], Result], points: Sequence[Point]) -> Iterator[Result]:
        """Results in order. Who wants no more does not wait for the rest."""
        self.deadline = None
        ensure_running()  # which, the first time, lets signals through in passing
        with interrupt.held_back():  # none is to be told before it can listen
            for _ in range(min(self.count, len(points)) - len(self.workers)):
                self.workers.append(Worker(self.watch is not None))
        try:
            with interrupt.told(self._stop):
                yield from self._in_order(work, points)
        except BaseException:
            for worker in self.workers:
                worker.kill()
            self.workers = []
            raise
        if self.deadline is not None:
            raise KeyboardInterrupt

    def _in_order(self, work: Callable[[Point], Result], points: Sequence[Point]) -> Iterator[Result]:
        found: dict[int, Result] = {}
        begun = told = 0
        while told < len(points):
            idle = [worker for worker in self.workers if worker.number is None]
            for worker in idle if self.deadline is None else ():
                if begun < len(points):
                    worker.begin(work, begun, points[begun])
                    begun += 1
            self._look(found)
            while told in found:
                yield found.pop(told)
                told += 1
            if self.deadline is not None and self._nobody_ends():
                return

    def _nobody_ends(self) -> bool:
        """After an interruption: whether nothing more can come."""
        assert self.deadline is not None
        return time.monotonic() > self.deadline or all(worker.number is None for worker in self.workers)

    def _look(self, found: dict[int, Any]) -> None:
        """Waits a moment for results. Raises what a worker raised, unless all were told to end."""
        busy = [worker for worker in self.workers if worker.number is not None]
        ready = wait([worker.pipe for worker in busy], LOOK_S)
        for worker in [worker for worker in busy if worker.pipe in ready]:
            number = worker.number
            kind, value = worker.heard()
            if kind == DONE:
                assert number is not None
                found[number] = value
            elif kind == FAILED and self.deadline is None:
                raise value
        if self.watch is not None:
            self.watch([worker.moment for worker in busy if worker.moment is not None])

    def _stop(self) -> None:
        self.deadline = time.monotonic() + GRACE_S
        for worker in self.workers:
            worker.stop()
