"""A step as a value."""

from __future__ import annotations

from typing import TypeVar

from simulator.cost.work import Work
from simulator.engine.request import Request

# Shared empty lists, never changed in place: most steps fill few, and one is made an event.
NOBODY: list[Request] = []
NOTHING: list[tuple[int, int]] = []
NONE_LOADED: list[tuple[Request, int]] = []
Item = TypeVar("Item")


def added(items: list[Item], item: Item) -> list[Item]:
    """The list with one more item: itself, or a new one in place of a shared empty one."""
    if items:
        items.append(item)
        return items
    return [item]


class Step:
    """One engine step. `chunks[i]` = (tokens, tokens computed before) of `requests[i]`; `finals`: those
    of them whose last chunk it is, each to get a token. `decodes` requests compute one token each and
    read `context_sum` keys. interrupted: those preempted that were decoding, where some of them may be
    admitted again at once (H5). totals: it was composed from totals, not request by request. resumed: those
    that decode from now on without a prefill here, out of the host's memory or with their first token from
    another engine (R113); copied: blocks that go to it or come from it (V8). number: of a
    pipeline's step among all of its lanes.
    """

    __slots__ = (
        "admitted", "alone", "carried_prefill", "chunks", "context_sum", "copied", "decodes", "ending",
        "finals", "index", "interrupted", "left_out", "loads", "number", "preempted", "requests", "resumed",
        "totals",
    )  # fmt: skip
    number: int

    def __init__(self, index: int) -> None:
        self.index = index
        self.decodes = self.context_sum = self.copied = 0
        self.finals = self.admitted = self.preempted = self.interrupted = NOBODY
        self.left_out = self.resumed = self.ending = self.requests = NOBODY
        self.chunks: list[tuple[int, int]] = NOTHING
        self.loads: list[tuple[Request, int]] = NONE_LOADED
        self.carried_prefill = self.totals = self.alone = False

    def chunk(self, request: Request, tokens: int, before: int) -> None:
        """Give a request in prefill its chunk: `tokens`, with `before` tokens computed already."""
        self.chunks = added(self.chunks, (tokens, before))
        self.requests = added(self.requests, request)

    @property
    def empty(self) -> bool:
        return not self.decodes and not self.requests

    def work(self) -> Work:
        return Work(self.decodes, self.context_sum, tuple(self.chunks), self.decodes + len(self.finals))
