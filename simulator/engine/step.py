"""A step as a value."""

from __future__ import annotations

from simulator.cost.work import Work
from simulator.engine.request import Request

NOBODY: list[Request] = []


class Step:
    """One engine step. `chunks[i]` = (tokens, tokens computed before) of `requests[i]`; `finals`: those
    of them whose last chunk it is, each to get a token. `decodes` requests compute one token each and
    read `context_sum` keys. totals: it was composed from totals, not request by request.
    """

    __slots__ = (
        "admitted",
        "carried_prefill",
        "chunks",
        "context_sum",
        "decodes",
        "finals",
        "index",
        "left_out",
        "loads",
        "preempted",
        "requests",
        "totals",
    )

    def __init__(self, index: int) -> None:
        self.index = index
        self.decodes = 0
        self.context_sum = 0
        self.chunks: list[tuple[int, int]] = []
        self.requests: list[Request] = []
        self.finals: list[Request] = NOBODY
        self.admitted: list[Request] = NOBODY
        self.preempted: list[Request] = NOBODY
        self.left_out: list[Request] = NOBODY
        self.loads: list[tuple[Request, int]] = []
        self.carried_prefill = False
        self.totals = False

    @property
    def empty(self) -> bool:
        return not self.decodes and not self.requests

    def work(self) -> Work:
        return Work(self.decodes, self.context_sum, tuple(self.chunks), self.decodes + len(self.finals))
