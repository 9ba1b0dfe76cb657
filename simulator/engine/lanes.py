"""The lanes of a pipeline: those who decode together, in one of the batches that are in flight (R74).

A pipeline of p stages has p batches in it. A request in one of them is in no other, so those who decode fall
into p lanes, each with totals of its own. A Batch holds the totals of the lane whose turn it is; `enter` puts
them away and takes out another's: O(1), and an engine with one batch in flight knows nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.step import Step

if TYPE_CHECKING:
    from simulator.engine.batch import Batch
    from simulator.engine.request import Request

TOTALS = ("changes", "context_sum", "decodes", "due", "frees", "leaves", "newest_decode", "step")
"""What of a Batch is a lane's own; `step` counts the lane's own steps."""
FIRST_STEP = 1 << 40
"""High enough that who moves to a lane of few steps began to decode there at a step that is not negative."""


class Lane:
    """TOTALS: as in Batch, while it is another lane's turn. done: its last step that is complete; last: the
    last one that was planned with work, the pipeline's `number`-th; end_s: when that one ends; seen_s: when
    the last one with work did whose outputs were seen.

    stretch_s: what others have added to its decodes so far; wasted: rows of its next step that had ended
    before (R72); joining: those who decode here from its next step on, moved from another lane.
    """

    __slots__ = (*TOTALS, "done", "end_s", "joining", "last", "number", "seen_s", "stretch_s", "wasted")

    def __init__(self, block_size: int) -> None:
        self.step = FIRST_STEP
        self.decodes = self.context_sum = 0
        self.due = [0] * block_size
        self.leaves: dict[int, list[Request]] = {}
        self.frees: dict[int, list[Request]] = {}
        self.changes: list[int] = []
        self.newest_decode = -1
        self.done = FIRST_STEP - 1
        self.number = -1
        self.last: Step | None = None
        self.end_s = self.seen_s = self.stretch_s = 0.0
        self.wasted = 0
        self.joining: list[Request] = []


def enter(batch: Batch, lane: Lane) -> None:
    """The batch's totals are that lane's from now on."""
    here = batch.lane
    if here is lane:
        return
    for name in TOTALS:
        setattr(here, name, getattr(batch, name))
        setattr(batch, name, getattr(lane, name))
    batch.lane = lane


def move(batch: Batch, request: Request, lane: Lane) -> None:
    """A decoding request that is in no batch in flight decodes in that lane from its next step on."""
    here, step = request.lane, batch.lane
    assert here is not None and step is not None
    enter(batch, here)
    batch.take_out(request)
    later = clock(batch, lane) - batch.step
    enter(batch, lane)
    request.lane = lane
    request.since += later
    request.skipped = batch.step - 1
    batch.put_in(request, request.leave_step + later, request.free_step + later)
    enter(batch, step)


def preempt(batch: Batch, request: Request) -> None:
    """A victim of another lane than the one whose plan is being made; it got nothing in that plan."""
    here, scanned, lane = batch.lane, batch.scanned, request.lane
    assert here is not None and lane is not None
    enter(batch, lane)
    batch.scanned = -1
    batch.preempt(request, False)
    batch.scanned = scanned
    enter(batch, here)


def in_flight(batch: Batch, request: Request) -> bool:
    """Whether a batch whose outputs are still to come holds this running request."""
    lane = request.lane
    if lane is not None and request.since >= 0:
        last = clock(batch, lane) - 1
        return last > lane.done and request.skipped != last
    if lane is not None and request.free_step >= 0:
        return request.free_step > lane.done
    return request.in_flight > batch.completed


def clock(batch: Batch, lane: Lane) -> int:
    """The lane's next step."""
    return batch.step if lane is batch.lane else lane.step


def made(batch: Batch, request: Request) -> int:
    """Output tokens that a running request has by now, without those in flight; at least those that it had
    when it was admitted, where its prompt is not computed yet."""
    lane = request.lane
    if lane is None or (request.since < 0 and request.free_step < 0):
        return request.emitted
    if request.since < 0:
        return request.output - (request.free_step - lane.done)
    step = clock(batch, lane)
    if request.skipped != step - 1:
        step = lane.done + 1
    return request.target + step - request.since - request.prompt + 1
