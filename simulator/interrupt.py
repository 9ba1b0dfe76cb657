"""Ctrl-C and requests to end: whoever works is told, and ends where all that is done is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def told(stop: Callable[[], None]) -> Iterator[None]:
    """Meanwhile the first of SIGINT and SIGTERM calls stop(); a second one does what it did before.

    The former handler is called, too, but its KeyboardInterrupt is held back. A signal that has no handler in
    Python keeps what it does; outside the main thread, which gets no signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former: dict[int, Callable[[int, FrameType | None], Any]] = {}
    for number in SIGNALS:
        handler = signal.getsignal(number)
        if callable(handler) and not isinstance(handler, signal.Handlers):
            former[number] = handler

    def first(number: int, frame: FrameType | None) -> Any:
        _set(former)
        stop()
        with suppress(KeyboardInterrupt):
            former[number](number, frame)

    _set(dict.fromkeys(former, first))
    try:
        yield
    finally:
        _set(former)


def _set(handlers: dict[int, Callable[[int, FrameType | None], Any]]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


def end_as_interrupted() -> None:
    """From now on a request to end (SIGTERM) is an interruption, as Ctrl-C is."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextmanager
def held_back() -> Iterator[None]:
    """Signals wait until the end of this block; a process started meanwhile holds them back, too."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def let_through() -> None:
    """In a process that was started while signals were held back."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
