"""What the end of a step brings: tokens, ends, blocks given back (R43, R53, R61–R63, R73, R89)."""

from __future__ import annotations

from bisect import insort
from operator import attrgetter

from simulator.engine import decoding
from simulator.engine.batch import Batch
from simulator.engine.radix import RadixCache
from simulator.engine.request import Request
from simulator.engine.step import Step


def complete(batch: Batch, index: int, step: Step | None = None) -> list[Request]:
    """Process the outputs of step `index`; returns the requests that ended, in batch order.

    step: the step itself, where it may be one that those who decode sat out (compose.pause).

    With async scheduling the next step has been planned before. In a pipeline `index` is the lane's own, and
    `completed`, the number of the step among all, is set already.
    """
    if batch.lane is None:
        batch.completed = index
    else:
        batch.lane.done = index
    if batch.step in batch.leaves and not batch.args.async_scheduling:
        decoding.leave(batch, batch.step)
    if batch.held_back:
        _give_back(batch)
    ended: list[Request] = []
    if batch.stale:
        ended = _deliver_stale(batch)
    if step is not None and (step.finals or step is batch.lone):
        _computed(batch, step)
    if index in batch.frees or (step is not None and step.ending):
        last = batch.frees.pop(index, []) + (step.ending if step is not None else [])
        leaving = batch.in_order(last)
        for request in leaving:
            _end(batch, request)
        ended = leaving + ended if ended else leaving
    return ended


def _computed(batch: Batch, step: Step) -> None:
    """Its prompts can be found, where that waits for their computation (S10); it owes nothing any more."""
    if step is batch.lone:
        batch.lone = None
    if isinstance(batch.cache, RadixCache):
        for request in step.finals:
            batch.cache.insert(request, request.target)


def _end(batch: Batch, request: Request) -> None:
    if batch.lone is not None and request.since >= 0:
        decoding.drop_out(batch, request)
    request.emitted = request.output
    del batch.running[request]
    tokens = batch.computed(request)
    decoding.stop_writing(batch, request)
    registered = request.prompt + request.output - 1
    request.computed = tokens
    if request.sends:
        batch.cache.register(request, registered)
        batch.sending.append(request)
    elif batch.keeps_written and request.since >= 0 and batch.args.async_scheduling:
        newest = batch.step if batch.lane is None else batch.numbers
        batch.held_back.append((newest - 1, request, tokens, registered))
    else:
        batch.cache.finish(request, tokens, registered)


def sent(batch: Batch, request: Request) -> None:
    """The decode side has read the request's blocks (R81)."""
    batch.sending.remove(request)
    batch.cache.finish(request, request.computed, 0)


def loaded(batch: Batch, request: Request) -> None:
    """The request's KV has come in (R84)."""
    insort(batch.ready, request, key=attrgetter("load_order"))


def _deliver_stale(batch: Batch) -> list[Request]:
    """R73: a preempted request still gets the token that was in flight, and may end by it."""
    ended = []
    stale, batch.stale = batch.stale, []
    for request in stale:
        if batch.lane is not None and request.in_flight > batch.completed:
            batch.stale.append(request)
        elif not batch.keeps_written:
            request.emitted += 1
            if request.emitted == request.output:
                batch.waiting.drop(request)
                batch.cache.forget(request)
                ended.append(request)
    return ended


def _give_back(batch: Batch) -> None:
    """R89: the batch that could still write these blocks is done."""
    kept = []
    for entry in batch.held_back:
        tag, request, tokens, registered = entry
        if tag <= batch.completed:
            batch.cache.finish(request, tokens, registered)
        else:
            kept.append(entry)
    batch.held_back = kept
