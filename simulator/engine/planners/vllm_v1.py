"""vLLM V1's scheduler: running requests first, then waiting ones, one token budget (engine rules R10–R33,
R80–R89).

`run` walks the running requests one by one, whatever happens; engine/fast.py answers the same from totals
in the steps in which nothing is decided. `admit` is the waiting loop, for both.
"""

from __future__ import annotations

from simulator.engine import decoding
from simulator.engine.batch import Batch
from simulator.engine.fast import run_from_totals
from simulator.engine.loads import go_on, start_load
from simulator.engine.preemption import preempt
from simulator.engine.request import Request
from simulator.engine.runs import ENDLESS
from simulator.engine.step import Step, added


def plan(batch: Batch, exact: bool = False) -> Step:
    """Compose the next step; its effects on queues, blocks and counters are immediate (R29). exact: never
    use totals.
    """
    k, args = batch.step, batch.args
    if args.async_scheduling:
        batch.cache.keep_order()
    if k in batch.leaves:
        decoding.leave(batch, k)
    step = Step(k)
    spaced = args.prefill_schedule_interval > 1
    if not batch.decodes and batch.vacant() and not spaced:
        batch.step = k + 1
        return step
    threshold = _threshold(batch) if args.long_prefill_token_threshold else 0
    held = spaced and _prefill_held(batch)
    budget = -1 if exact or held else run_from_totals(batch, step, threshold)
    if budget < 0:
        budget = _run(batch, step, threshold, held)
    batch.scanned = ENDLESS
    if not step.preempted:
        if budget > 0 and (batch.waiting or batch.ready):
            _admit(batch, step, budget, threshold, held)
        elif spaced and not held:
            batch.capacity_bound = bool(batch.waiting)
    _conclude(batch, step)
    return step


def _threshold(batch: Batch) -> int:
    """R11."""
    threshold = batch.args.long_prefill_token_threshold
    eligible = len(batch.running) + len(batch.waiting) + len(batch.holding)
    if eligible <= 1 and not batch.args.rules.threshold_when_alone:
        return 0
    if batch.args.long_prefill_token_threshold_adaptive:
        return max(threshold, batch.args.max_num_batched_tokens // eligible)
    return threshold


def _prefill_held(batch: Batch) -> bool:
    """R25."""
    return (
        batch.executed + 1 - batch.last_prefill < batch.args.prefill_schedule_interval
        and len(batch.running) > len(batch.prefilling)
        and not batch.capacity_bound
    )


def _conclude(batch: Batch, step: Step) -> None:
    """R29: contexts grow, those past their prompt decode from the next step on."""
    batch.step = step.index + 1
    batch.scanned = -1
    batch.context_sum += step.decodes
    if step.finals:
        for request in step.finals:
            decoding.join(batch, request, batch.step)
    if step.decodes or step.requests:
        batch.executed += 1
        if step.carried_prefill:
            batch.last_prefill = batch.executed


# ── running requests, one by one ──────────────────────────────────────────────────────────────────


def _run(batch: Batch, step: Step, threshold: int, held: bool) -> int:
    """R12–R16: every running request in order; returns the budget that is left."""
    cache, block = batch.cache, batch.args.block_size
    budget = batch.args.max_num_batched_tokens
    order = list(batch.running)
    got: dict[Request, tuple[int, int]] = {}
    i = 0
    while i < len(order) and budget > 0:
        request = order[i]
        tokens = _wanted(batch, request, budget, threshold, held)
        if not tokens:
            i += 1
            continue
        before = batch.computed(request)
        blocks = -(-(before + tokens) // block) - -(-before // block)
        if blocks > cache.free:
            i, budget, answer = _make_room(batch, step, order, i, blocks, got, budget)
            if answer == STOP:
                break
            if answer == GONE:
                continue
        cache.take(blocks)
        if request.since < 0:
            request.computed += tokens
            if request.findable:
                cache.register(request, request.computed)
        batch.scanned = request.seq
        got[request] = (tokens, before)
        budget -= tokens
        i += 1
    _collect(batch, step, order, got)
    return budget


def _wanted(batch: Batch, request: Request, budget: int, threshold: int, held: bool) -> int:
    """R12, R13, R25, R74: the tokens that a running request asks for."""
    if request.since >= 0:
        return int(request.lane is batch.lane)
    if request.free_step >= 0 or held or not batch.may_go_on(request):
        return 0
    tokens = request.target - request.computed
    if 0 < threshold < tokens:
        tokens = threshold
    return min(tokens, budget)


ROOM, GONE, STOP = range(3)


def _make_room(
    batch: Batch,
    step: Step,
    order: list[Request],
    i: int,
    blocks: int,
    got: dict[Request, tuple[int, int]],
    budget: int,
) -> tuple[int, int, int]:
    """R15: preempt until `blocks` are free or the requester itself is gone; returns its place, the
    budget, and which.
    """
    request = order[i]
    ends_scan = batch.policy.ordered or batch.args.rules.preempted_ends_scan
    while blocks > batch.cache.free:
        j = batch.policy.victim(order)
        victim = order[j]
        if batch.keeps_written and batch.in_flight(victim):
            return i, budget, STOP
        del order[j]
        undone = got.pop(victim, None)
        if undone:
            budget += undone[0]
        if j < i and (undone or not ends_scan):
            i -= 1
        preempt(batch, victim, undone is not None)
        step.preempted = added(step.preempted, victim)
        if victim is request:
            return i, budget, STOP if ends_scan else GONE
    return i, budget, ROOM


def _collect(batch: Batch, step: Step, order: list[Request], got: dict[Request, tuple[int, int]]) -> None:
    """What each got, in batch order; a decoding request that got nothing moves one step on."""
    step.decodes, step.context_sum = batch.decodes, batch.context_sum
    for request in order:
        if request.since < 0:
            if request in got:
                _chunk(batch, step, request, *got[request])
        elif request not in got and request.lane is batch.lane:
            step.decodes -= 1
            step.context_sum -= batch.computed(request) + 1
            step.left_out = added(step.left_out, request)
    for request in step.left_out:
        decoding.leave_out(batch, request)


def _chunk(batch: Batch, step: Step, request: Request, tokens: int, before: int) -> None:
    step.chunk(request, tokens, before)
    step.carried_prefill = True
    request.in_flight = step.index
    if request.computed == request.target:
        step.finals = added(step.finals, request)
        batch.prefilling.remove(request)


# ── waiting requests ──────────────────────────────────────────────────────────────────────────────


def _admit(batch: Batch, step: Step, budget: int, threshold: int, held: bool) -> None:
    """R18–R24, R82, R84: admit from the head while budget, slots and blocks last."""
    args, waiting, ready = batch.args, batch.waiting, batch.ready
    slots = args.max_num_active_seqs or args.max_num_seqs
    aside: list[Request] = []
    while budget > 0 and (waiting or ready):
        if len(batch.running) >= slots:
            break
        request = ready[0] if ready else waiting.head()
        if request.in_flight > batch.completed:
            aside.append(waiting.take())
            continue
        if request.remote and not ready:
            if not start_load(batch, step, request):
                break
            waiting.take()
            continue
        if request.ahead:
            go_on(batch, step, ready.pop(0))
            budget -= 1
            continue
        tokens = _fits(batch, request, budget, threshold, held)
        if not tokens:
            break
        if ready:
            del batch.holding[ready.pop(0)]
        else:
            waiting.take()
        _take_in(batch, step, request, tokens)
        budget -= tokens
    if not held:
        batch.capacity_bound = bool(waiting)
    for request in reversed(aside):
        waiting.put_back(request)


def _fits(batch: Batch, request: Request, budget: int, threshold: int, held: bool) -> int:
    """R20–R22, R25, R30–R33: the tokens that the head would get now, 0 if it can't be admitted."""
    args, cache = batch.args, batch.cache
    known = request.prompt + request.emitted
    if request.remote:
        cache.register(request, request.prompt)
        hit = request.prompt - 1
        have = -(-request.prompt // args.block_size)
        evictable = 0
    else:
        hit = cache.lookup(request, known) if request.findable else 0
        have, evictable = request.hit_blocks, request.evictable
    request.hit = hit
    if held and hit < known - 1:
        return 0
    tokens = known - hit
    if 0 < threshold < tokens:
        tokens = threshold
    if tokens > budget:
        if not args.enable_chunked_prefill:
            return 0
        tokens = budget
    upto = known if args.scheduler_reserve_full_isl else hit + tokens
    blocks = -(-upto // args.block_size) - have + evictable
    if batch.running:
        blocks += batch.watermark
    return tokens if blocks <= cache.free else 0


def _take_in(batch: Batch, step: Step, request: Request, tokens: int) -> None:
    """R23: to the end of `running`, with its first chunk."""
    known = request.prompt + request.emitted
    request.target = known
    request.computed = request.hit + tokens
    if request.remote:
        request.remote = False
    else:
        batch.cache.admit(request, request.computed)
    if request.findable:
        batch.cache.register(request, request.computed)
    batch.running[request] = None
    request.seq = batch.admissions
    batch.admissions += 1
    request.in_flight = step.index
    step.admitted = added(step.admitted, request)
    step.chunk(request, tokens, request.hit)
    if request.hit < known - 1:
        step.carried_prefill = True
    if request.computed == known:
        step.finals = added(step.finals, request)
    else:
        batch.prefilling.append(request)
