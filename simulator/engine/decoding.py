"""Those who decode, as totals: who joins, leaves or is left out, and in which step (R12, R61–R63, R72).

Every end is known by the number of its step, so none of them is looked at until it is there.
"""

from __future__ import annotations

from heapq import heappush

from simulator.engine.batch import Batch
from simulator.engine.request import Request


def join(batch: Batch, request: Request, since: int) -> None:
    """Its last prompt chunk is in step since − 1: from step `since` on it decodes, until its known
    end.
    """
    left = request.output - request.emitted
    end = since - 2 + left
    request.since = since
    if batch.lane is not None:
        request.lane, request.skipped = batch.lane, -1
    request.free_step = end
    _free_at(batch, end, request)
    leave = end + 1 if request.foreseen or not batch.args.async_scheduling else end + 2
    request.leave_step = leave
    if leave <= since:
        _finishing(batch, request)
        return
    _leave_at(batch, leave, request)
    batch.decodes += 1
    batch.context_sum += request.target + 1
    batch.due[(since - request.target) % batch.args.block_size] += 1
    if request.seq > batch.newest_decode:
        batch.newest_decode = request.seq
    if request.output_segment:
        batch.cache.writes(request)


def leave(batch: Batch, step: int) -> None:
    """Those whose last token was scheduled leave the totals (R12); they hold slot and blocks until it
    is made.

    One that a stop token has ended is still in the totals of the step planned before that was known
    (R72).
    """
    for request in batch.leaves.pop(step):
        _uncount(batch, request)
        if request in batch.running:
            _finishing(batch, request)
    if not batch.decodes:
        batch.newest_decode = -1


def drop_out(batch: Batch, request: Request) -> None:
    """It has ended by a stop token, and no step that still counts it was planned."""
    batch.leaves[request.leave_step].remove(request)
    _uncount(batch, request)
    _finishing(batch, request)


def _finishing(batch: Batch, request: Request) -> None:
    stop_writing(batch, request)
    request.computed = batch.computed(request)
    request.since = -1
    request.leave_step = -1


def stop_writing(batch: Batch, request: Request) -> None:
    """Others no longer see what it generates grow; what it has written stays."""
    if request.output_segment and request.since >= 0:
        batch.cache.register(request, batch.written(request))
        batch.cache.stops_writing(request)


def _uncount(batch: Batch, request: Request) -> None:
    computed = request.target + batch.step - request.since
    batch.decodes -= 1
    batch.context_sum -= computed + 1
    batch.due[(request.since - request.target) % batch.args.block_size] -= 1


def leave_out(batch: Batch, request: Request) -> None:
    """A decoding request that got nothing in this step: everything of it comes one step later."""
    if request.free_step < batch.step:
        drop_out(batch, request)
        return
    batch.cache.settle(request)
    block = batch.args.block_size
    batch.due[(request.since - request.target) % block] -= 1
    request.skipped = batch.step
    request.since += 1
    batch.due[(request.since - request.target) % block] += 1
    batch.leaves[request.leave_step].remove(request)
    batch.frees[request.free_step].remove(request)
    request.leave_step += 1
    request.free_step += 1
    _leave_at(batch, request.leave_step, request)
    _free_at(batch, request.free_step, request)


def take_out(batch: Batch, request: Request) -> None:
    """A decoding request leaves these totals for those of another lane."""
    batch.leaves[request.leave_step].remove(request)
    batch.frees[request.free_step].remove(request)
    _uncount(batch, request)


def put_in(batch: Batch, request: Request, leave_step: int, free_step: int) -> None:
    """It joins these totals, with `since` set for them."""
    request.leave_step, request.free_step = leave_step, free_step
    _leave_at(batch, leave_step, request)
    _free_at(batch, free_step, request)
    batch.decodes += 1
    batch.context_sum += batch.computed(request) + 1
    batch.due[(request.since - request.target) % batch.args.block_size] += 1
    batch.newest_decode = max(batch.newest_decode, request.seq)


def stop_decoding(batch: Batch, request: Request, pending: bool) -> None:
    """Out of the totals before its end; pending: a token of it is in flight."""
    sampled = batch.computed(request) - request.prompt + 1
    batch.leaves[request.leave_step].remove(request)
    _uncount(batch, request)
    stop_writing(batch, request)
    cut_short(batch, request, sampled, pending)


def cut_short(batch: Batch, request: Request, sampled: int, pending: bool) -> None:
    """Of its output it has `sampled` tokens, the one in flight included, and no more are scheduled."""
    batch.frees[request.free_step].remove(request)
    request.emitted = sampled - pending
    if pending:
        request.in_flight = batch.step - 1 if batch.lane is None else batch.lane.number
        batch.stale.append(request)


def _leave_at(batch: Batch, step: int, request: Request) -> None:
    if step in batch.leaves:
        batch.leaves[step].append(request)
    else:
        batch.leaves[step] = [request]
        heappush(batch.changes, step)


def _free_at(batch: Batch, step: int, request: Request) -> None:
    if step in batch.frees:
        batch.frees[step].append(request)
    else:
        batch.frees[step] = [request]
        heappush(batch.changes, step + 1)
