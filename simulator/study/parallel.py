"""One map over points, in processes of their own: the same results, in the same order, on any number of them.

A point carries all that its result depends on, so it does not matter who computes it, or when.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

Point = TypeVar("Point")
Result = TypeVar("Result")


class Map(Protocol):
    def __call__(self, work: Callable[[Point], Result], points: Sequence[Point]) -> Iterator[Result]:
        """work(point) of every point, in their order, each as soon as those before it are there.

        work is a module's function, and raises here what it raises there.
        """


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def workers(count: int) -> Iterator[Map]:
    """A map over `count` processes, started when first needed and kept for the next map; one: this process.

    They are spawned, not forked: Arrow's and numpy's threads do not survive a fork.
    """
    pool: ProcessPoolExecutor | None = None
    others = multiprocessing.active_children()

    def run(work: Callable[[Point], Result], points: Sequence[Point]) -> Iterator[Result]:
        nonlocal pool
        if min(count, len(points)) <= 1:
            return map(work, points)
        if pool is None:
            context = multiprocessing.get_context("spawn")
            pool = ProcessPoolExecutor(count, context, _left_to_the_parent)
        return _results(pool, work, points, others)

    try:
        yield run
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def _results(
    pool: ProcessPoolExecutor, work: Callable[[Point], Result], points: Sequence[Point], others: list[Any]
) -> Iterator[Result]:
    """Results in order. Who wants no more, after an interruption above all, does not wait for the rest."""
    try:
        yield from pool.map(work, points)
    except BaseException:
        for child in multiprocessing.active_children():
            if child not in others:
                child.terminate()
        raise


def _left_to_the_parent() -> None:
    """Ctrl-C reaches every process of a terminal: the parent alone decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
