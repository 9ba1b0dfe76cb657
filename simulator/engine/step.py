"""A step as a value."""

from __future__ import annotations

from typing import TypeVar

from simulator.cost.work import Work
from simulator.engine.request import Request

NOBODY: list[Request] = []
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
    that decode again from the host's memory; copied: blocks that go to it or come from it (V8).
    """

    # Defaults of the class: most steps set few of these, and one is made an event.
    decodes = 0
    context_sum = 0
    finals = NOBODY
    admitted = NOBODY
    preempted = NOBODY
    interrupted = NOBODY
    left_out = NOBODY
    resumed = NOBODY
    ending = NOBODY
    requests = NOBODY
    chunks: list[tuple[int, int]] = []  # noqa: RUF012  # never changed in place: `chunk` replaces it
    loads: list[tuple[Request, int]] = []  # noqa: RUF012  # likewise
    carried_prefill = False
    totals = False
    alone = False
    copied = 0

    def __init__(self, index: int) -> None:
        self.index = index

    def chunk(self, request: Request, tokens: int, before: int) -> None:
        """Give a request in prefill its chunk: `tokens`, with `before` tokens computed already."""
        self.chunks = added(self.chunks, (tokens, before))
        self.requests = added(self.requests, request)

    @property
    def empty(self) -> bool:
        return not self.decodes and not self.requests

    def work(self) -> Work:
        return Work(self.decodes, self.context_sum, tuple(self.chunks), self.decodes + len(self.finals))
