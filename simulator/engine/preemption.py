"""Preemption by recomputation: a victim loses its blocks and what it computed, and waits again (R16)."""

from __future__ import annotations

from simulator.engine import lanes
from simulator.engine.batch import Batch
from simulator.engine.decoding import cut_short, stop_decoding
from simulator.engine.request import Request


def preempt(batch: Batch, request: Request, scheduled: bool) -> None:
    """R16: its blocks are freed, what it computed is lost, it waits again (in front, where the policy
    says so).

    scheduled: it had already got its token in the step being planned, which is undone (R15).
    """
    if request.lane is not batch.lane and request.free_step >= 0:
        _of_another_lane(batch, request)
        return
    pending = batch.in_flight(request)
    unknown = pending and batch.args.async_scheduling
    held = known = computed = batch.computed(request)
    if request.since >= 0:
        held += scheduled
        known = computed if pending and request.since == batch.step else computed + scheduled - unknown
        stop_decoding(batch, request, pending)
    elif request.free_step >= 0:
        known = computed - unknown
        cut_short(batch, request, request.output, pending)
    else:
        batch.prefilling.remove(request)
        held = request.target if batch.args.rules.takes_whole_prompts else computed
    batch.cache.release(request, held, known)
    request.computed = 0
    request.since = request.free_step = -1
    request.preemptions += 1
    del batch.running[request]
    batch.waiting.put_back(request)


def _of_another_lane(batch: Batch, request: Request) -> None:
    """A victim of another lane than the one whose plan is being made; it got nothing in that plan."""
    here, scanned, lane = batch.lane, batch.scanned, request.lane
    assert here is not None and lane is not None
    lanes.enter(batch, lane)
    batch.scanned = -1
    preempt(batch, request, False)
    batch.scanned = scanned
    lanes.enter(batch, here)
