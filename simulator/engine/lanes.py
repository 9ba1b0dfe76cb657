"""How a Batch changes from one lane of a pipeline to another, and who moves between them (R74).

A pipeline of p stages has p batches in it. A request in one of them is in no other, so those who decode fall
into p lanes, each with totals of its own. A Batch holds the totals of the lane whose turn it is; `enter` puts
them away and takes out another's: O(1), and an engine with one batch in flight knows nothing of it.
"""

from __future__ import annotations

from simulator.engine import decoding
from simulator.engine.batch import Batch
from simulator.engine.lane import TOTALS, Lane
from simulator.engine.request import Request


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
    decoding.take_out(batch, request)
    later = batch.clock(lane) - batch.step
    enter(batch, lane)
    request.lane = lane
    request.since += later
    request.skipped = batch.step - 1
    decoding.put_in(batch, request, request.leave_step + later, request.free_step + later)
    enter(batch, step)


def made(batch: Batch, request: Request) -> int:
    """Output tokens that a running request has by now, without those in flight; at least those that it had
    when it was admitted, where its prompt is not computed yet."""
    lane = request.lane
    if lane is None or (request.since < 0 and request.free_step < 0):
        return request.emitted
    if request.since < 0:
        return request.output - (request.free_step - lane.done)
    step = batch.clock(lane)
    if request.skipped != step - 1:
        step = lane.done + 1
    return request.target + step - request.since - request.prompt + 1
