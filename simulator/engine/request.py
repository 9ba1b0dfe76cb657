"""A request in flight, from its arrival at a replica to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.engine.lane import Lane
    from simulator.engine.runs import Node, Run

NEVER = float("nan")


class Request:
    """What the scheduler knows of one request. Token counts unless said.

    A request waits (in no batch), prefills (`computed` of `target` done) or decodes. Of a decoding one
    nothing changes from step to step: it joined at step `since` with `target` computed, so before step k
    it has computed target + (k − since). `since` is −1 when it does not decode. In a pipeline steps are those
    of its `lane`.
    findable: whether a prefix cache may hold some of it, since it shares content or was preempted. remote:
    its KV is to come from another engine; ahead: and its first token with it (R113).
    """

    __slots__ = (
        "ahead",
        "announced",
        "arrival_s",
        "at",
        "cached",
        "computed",
        "counted",
        "emitted",
        "evictable",
        "findable",
        "first_scheduled_s",
        "first_token_s",
        "foreseen",
        "free_step",
        "held",
        "hit",
        "hit_blocks",
        "in_flight",
        "lane",
        "last_token_s",
        "leave_step",
        "load_order",
        "max_tokens",
        "order",
        "output",
        "output_segment",
        "own_blocks",
        "own_s",
        "parts",
        "path",
        "paused_s",
        "pieces",
        "preemptions",
        "priority",
        "prompt",
        "queued_s",
        "registered",
        "remote",
        "row",
        "sends",
        "seq",
        "session",
        "since",
        "skipped",
        "stretch_mark_s",
        "stretched_s",
        "target",
        "tenant",
        "whole",
    )

    def __init__(
        self,
        row: int,
        arrival_s: float,
        prompt: int,
        output: int,
        foreseen: bool = True,
        pieces: tuple[tuple[int, int], ...] = (),
        output_segment: int = 0,
        priority: int = 0,
        order: int = 0,
        session: int = -1,
    ) -> None:
        """output: tokens that it will emit; foreseen: whether the scheduler knows that end (a length, not
        a stop token).

        pieces: (segment, tokens) of the prompt, () when it shares nothing; order: place among all
        arrivals (breaks ties of priority).
        """
        self.row = row
        self.arrival_s = self.queued_s = arrival_s
        self.prompt = prompt
        self.output = output
        self.foreseen = foreseen
        self.pieces = pieces
        self.findable = bool(pieces)
        self.output_segment = output_segment
        self.priority = priority
        self.order = order
        self.session = session
        self.computed = self.counted = 0
        self.target = prompt
        self.max_tokens = output
        self.tenant = 0
        self.emitted = 0
        self.since = -1
        self.seq = -1
        self.free_step = -1
        self.leave_step = -1
        self.in_flight = -1
        self.lane: Lane | None = None
        self.skipped = -1
        self.hit = self.cached = 0
        self.preemptions = 0
        self.first_scheduled_s = NEVER
        self.first_token_s = NEVER
        self.last_token_s = NEVER
        self.own_s = self.paused_s = self.stretched_s = self.stretch_mark_s = 0.0
        self.remote = self.ahead = self.announced = False
        self.load_order = -1
        self.sends = False
        self.whole: Request | None = None
        self.path: list[tuple[Node, int]] | None = None
        self.at = 0
        self.registered = self.own_blocks = 0
        self.held: list[list[Run | int]] | None = None
        self.parts: list[tuple[Run, int, int]] = []
        self.hit_blocks = 0
        self.evictable = 0

    def for_prefill(self) -> Request:
        """The same prompt with one token of answer, whose KV is kept until it was read (R80, R81)."""
        twin = Request(
            self.row,
            self.arrival_s,
            self.prompt,
            1,
            True,
            self.pieces,
            0,
            self.priority,
            self.order,
            self.session,
        )
        twin.sends = True
        twin.whole = self
        return twin

    def for_decode(self, ahead: bool = False) -> Request:
        """The request whose prompt this one computes, its KV to be loaded (R82); ahead: and its token."""
        whole = self.whole
        assert whole is not None
        whole.remote = True
        whole.ahead = ahead
        return whole
