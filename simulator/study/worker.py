"""A process that works for another: told what to do by a pipe, and by a signal to end what it does."""

from __future__ import annotations

import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from simulator import interrupt
from simulator.simulate import Moment, Progress

AT, DONE, FAILED = "at", "done", "failed"
TELL_S = 0.25  # how often a worker says where its run is
PATIENCE_S = 5.0  # until one that should end is ended

TELLER: ContextVar[Progress | None] = ContextVar("TELLER", default=None)
"""Whom a run in this process tells where it is."""


class Worker:
    """The parent's side. number: of the point that it works on, None: it waits; moment: where its run is."""

    __slots__ = ("_process", "moment", "number", "pipe")

    def __init__(self, tells: bool) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, tells), daemon=True)
        self._process.start()
        theirs.close()
        self.number: int | None = None
        self.moment: Moment | None = None

    def begin(self, work: Callable[[Any], Any], number: int, point: Any) -> None:
        self.number = number
        with suppress(BrokenPipeError):  # heard() finds it
            self.pipe.send((work, point))

    def heard(self) -> tuple[str, Any]:
        """The next message: AT, DONE with a result, or FAILED with an exception; the last two free it."""
        try:
            kind, value = self.pipe.recv()
        except (EOFError, ConnectionError):
            self._process.join(PATIENCE_S)
            kind, value = FAILED, ChildProcessError(f"a worker ended with {self._process.exitcode}")
        self.moment = value if kind == AT else None
        if kind != AT:
            self.number = None
        return kind, value

    def stop(self) -> None:
        """Tells it to end what it does; it answers as ever."""
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()
        self.close()

    def close(self) -> None:
        """Waits until it is gone."""
        self.pipe.close()
        self._process.join(PATIENCE_S)
        self._process.kill()
        self._process.join()


def _work(pipe: Connection, tells: bool) -> None:
    """The worker's side. Ctrl-C reaches every process of a terminal: the parent alone decides."""
    listener = _Listener()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, listener.told)
    interrupt.let_through()
    TELLER.set(_teller(pipe) if tells else None)
    with suppress(EOFError, ConnectionError):  # the parent has gone
        while True:
            work, point = pipe.recv()
            pipe.send(listener.answer(work, point))


class _Listener:
    """Ends what is worked on when it is told to, and takes on no more; never while it speaks."""

    __slots__ = ("stopped", "working")

    def __init__(self) -> None:
        self.stopped = self.working = False

    def told(self, number: int, frame: FrameType | None) -> None:
        self.stopped = True
        if self.working:
            raise KeyboardInterrupt

    def answer(self, work: Callable[[Any], Any], point: Any) -> tuple[str, Any]:
        try:
            self.working = True
            if self.stopped:
                raise KeyboardInterrupt
            return DONE, work(point)
        except ConnectionError:
            raise
        except BaseException as error:
            error.add_note("".join(traceback.format_exception(error)))  # the way there does not travel
            return FAILED, error
        finally:
            self.working = False


def _teller(pipe: Connection) -> Progress:
    last = time.monotonic()

    def tell(moment: Moment) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= TELL_S:
            last = now
            pipe.send((AT, moment))

    return tell
