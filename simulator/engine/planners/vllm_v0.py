"""vLLM V0's scheduler: prompts first, in steps of their own, without chunks; preemption by recomputing or by
swapping to the host (V1–V9).
"""

from __future__ import annotations

from simulator.engine.batch import Batch
from simulator.engine.compose import begin, blocks, conclude, known_tokens, pause, take_in
from simulator.engine.growing import decode_or_preempt
from simulator.engine.request import Request
from simulator.engine.step import Step, added
from simulator.engine.swap import swap_in, swap_out
from simulator.errors import InputError, Problem


def plan(batch: Batch, exact: bool = False) -> Step:
    """A step of prompts if any can be admitted and nobody is swapped out (V1, V8), else one of decodes."""
    begin(batch)
    step = pause(batch)
    if not batch.swapped:
        _admit(batch, step)
    if not step.requests:
        step = Step(batch.step)
        swaps = batch.args.preemption_mode == "swap"
        decode_or_preempt(batch, step, exact, _swap_out if swaps else None)
        if not step.preempted:
            _swap_in(batch, step)
        step.copied += sum(blocks(batch, request.computed) for request in step.preempted if swaps)
    return conclude(batch, step)


def _admit(batch: Batch, step: Step) -> None:
    """Whole prompts in order, while slots, budget and the blocks above the watermark last (V2–V4)."""
    budget = batch.args.max_num_batched_tokens
    while batch.waiting and not batch.full():
        request = batch.waiting.head()
        tokens = known_tokens(request)
        if batch.cache.free - blocks(batch, tokens) < batch.watermark or tokens > budget:
            break
        batch.waiting.take()
        take_in(batch, step, request, tokens, tokens)
        budget -= tokens


def _swap_out(batch: Batch, request: Request) -> None:
    """V8: to the host; the engine dies where the host's memory is short."""
    if blocks(batch, batch.computed(request)) > batch.host_free:
        what = f"no host memory left to swap out request {request.row}; the engine would end here"
        raise InputError(Problem("swap_space", what, "more swap_space, or preemption_mode: recompute"))
    swap_out(batch, request)


def _swap_in(batch: Batch, step: Step) -> None:
    """The first swapped out come back, while a block more than theirs is free above the watermark (V9)."""
    budget = batch.args.max_num_batched_tokens - step.decodes
    for request in sorted(batch.swapped, key=lambda request: request.order):
        held = blocks(batch, request.computed)
        if batch.cache.free - held - 1 < batch.watermark or batch.full() or not budget:
            break
        swap_in(batch, request)
        batch.cache.take(blocks(batch, request.target + 1) - held)
        step.decodes += 1
        step.context_sum += request.target + 1
        step.resumed = added(step.resumed, request)
        step.copied += held
        budget -= 1
