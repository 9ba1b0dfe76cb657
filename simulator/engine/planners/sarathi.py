"""Stall-free chunked prefill (Sarathi-Serve): decodes, then chunks in the rest of the budget (H1–H5)."""

from __future__ import annotations

from simulator.engine.batch import Batch
from simulator.engine.compose import begin, blocks, conclude, go_on, known_tokens, take_in
from simulator.engine.growing import decode_or_preempt
from simulator.engine.step import Step


def plan(batch: Batch, exact: bool = False) -> Step:
    """Decodes first, whatever the order of admission; then the prompts under way; then new ones."""
    begin(batch)
    step = Step(batch.step)
    decode_or_preempt(batch, step, exact)
    budget = batch.args.max_num_batched_tokens - step.decodes
    for request in list(batch.prefilling):
        tokens = min(request.target - request.computed, budget)
        if tokens > 0:
            go_on(batch, step, request, tokens)
            budget -= tokens
    _admit(batch, step, budget)
    return conclude(batch, step)


def _admit(batch: Batch, step: Step, budget: int) -> None:
    """New prompts, with the blocks of all of each, above the watermark (H4); preemption is no gate (H5)."""
    chunked = batch.args.enable_chunked_prefill
    while batch.waiting and not batch.full() and budget > 0:
        request = batch.waiting.head()
        known = known_tokens(request)
        if batch.cache.free - blocks(batch, known) < batch.watermark or (known > budget and not chunked):
            break
        batch.waiting.take()
        tokens = min(known, budget)
        take_in(batch, step, request, tokens, known)
        budget -= tokens
