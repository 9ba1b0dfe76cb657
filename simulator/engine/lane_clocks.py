"""Where the time of a pipeline's requests goes: what Clocks is to an engine with one batch in flight.

A token's gap is the time from its lane's last batch to this one. Own is what a batch of its lane's decodes
alone would take through an empty pipeline; the rest was added by others: by chunks in the same batch, and by
batches before it that held a stage. Of a prefill, own is its share, by tokens, of the time by which its
batches moved the end of the pipeline's work on: times that do not overlap, however many are in flight.
"""

from __future__ import annotations

from collections.abc import Sequence

from simulator.engine.batch import Batch
from simulator.engine.clocks import Gaps, token_of_prefill
from simulator.engine.lane import Lane
from simulator.engine.request import NEVER, Request
from simulator.engine.step import Step


class Returning:
    """A request that decodes in a batch of another lane than before, and when it got its last token."""

    __slots__ = ("last_token_s", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.last_token_s = request.last_token_s


def joined(lane: Lane, step: Step) -> list[Returning]:
    """Of a step of the lane that was just planned: those who decode there for the first time, and were not
    preempted before they did.
    """
    stayed = [r for r in lane.joining if r.lane is lane and 0 <= r.since <= step.index]
    found = [Returning(request) for request in stayed]
    lane.joining = []
    return found + [Returning(request) for request in step.resumed]


def resumed(request: Request, now: float) -> None:
    """It decodes without a prefill here: its KV came with its first token, which is told by the plan that
    sees it, if it was not before (R113).
    """
    if request.first_token_s != request.first_token_s:
        request.first_token_s = request.last_token_s = now
    request.stretch_mark_s = NEVER


def interrupted(step: Step, batch: Batch) -> None:
    """Those preempted that had tokens, and those left out: when they got, or get, the last one."""
    for request in step.preempted:
        stale = request in batch.stale
        if stale or request.prompt + request.emitted > request.target:
            _put_out(request, stale)
    for request in step.left_out:
        _put_out(request, False)


def _put_out(request: Request, in_flight: bool) -> None:
    lane = request.lane
    assert lane is not None
    last = lane.last
    if last is None or last.index <= lane.done or request not in last.finals:
        if in_flight or request.stretch_mark_s == request.stretch_mark_s:
            request.last_token_s = lane.end_s
        stop(request)
    request.stretch_mark_s = NEVER


def stop(request: Request) -> None:
    """It no longer decodes in its lane; a mark of NEVER: it did not begin."""
    lane = request.lane
    if lane is not None and request.stretch_mark_s == request.stretch_mark_s:
        request.stretched_s += lane.stretch_s - request.stretch_mark_s


def decoded(
    lane: Lane, step: Step, times: tuple[float, float, float], returning: Sequence[Returning], gaps: Gaps
) -> None:
    """A step of the lane with decodes ends; the last one with work ended at lane.seen_s. times: its start,
    its end, and how long its decodes alone would take.
    """
    start, now, own = times
    gap = now - lane.seen_s
    usual = step.decodes - len(returning) - lane.wasted
    if usual:
        gaps.append((gap, usual, start))
    gaps.extend((now - back.last_token_s, 1, start) for back in returning)
    lane.stretch_s += max(gap - own, 0.0)
    lane.wasted = 0
    for back in returning:
        if back.request.lane is lane and back.request.since >= 0:
            back.request.stretch_mark_s = lane.stretch_s


def first_tokens(lane: Lane, step: Step, start: float, now: float, gaps: Gaps) -> None:
    """The step's finals have a token: the first one, or the next one after a preemption."""
    for request in step.finals:
        here = request.lane is lane and request.since >= 0
        request.stretch_mark_s = lane.stretch_s if here else NEVER
        token_of_prefill(request, start, now, gaps)
