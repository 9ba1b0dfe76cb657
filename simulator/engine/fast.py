"""The running part of a plan from totals: O(chunks) in place of O(running requests), with the same result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.step import Step

if TYPE_CHECKING:
    from simulator.engine.batch import Batch
    from simulator.engine.request import Request


def run_from_totals(batch: Batch, step: Step, threshold: int) -> int:
    """Give every decoding request its token and those in prefill their chunks; returns the budget left.

    −1, and nothing is changed, when order matters: the budget is short of the decodes, blocks run out, a
    request in prefill is older than one that decodes.
    """
    decodes = batch.decodes
    budget = batch.args.max_num_batched_tokens - decodes
    if budget < 0:
        return -1
    block = batch.args.block_size
    blocks = batch.due[step.index % block]
    prefilling = batch.prefilling
    if prefilling and not batch.args.rules.chunks_in_flight:
        prefilling = [request for request in prefilling if batch.may_go_on(request)]
    chunks: list[int] = []
    if prefilling:
        if batch.newest_decode > prefilling[0].seq:
            return -1
        for request in prefilling:
            before = request.computed
            tokens = min(request.target - before, budget)
            if 0 < threshold < tokens:
                tokens = threshold
            if not tokens:
                break
            budget -= tokens
            blocks += -(-(before + tokens) // block) - -(-before // block)
            chunks.append(tokens)
    cache = batch.cache
    if blocks > cache.free:
        return -1
    if blocks:
        cache.take(blocks)
    step.totals = True
    step.decodes = decodes
    step.context_sum = batch.context_sum
    if chunks:
        _chunks(batch, step, prefilling, chunks)
    return budget


def _chunks(batch: Batch, step: Step, prefilling: list[Request], chunks: list[int]) -> None:
    batch.scanned = prefilling[0].seq
    step.carried_prefill = True
    for request, tokens in zip(prefilling, chunks, strict=False):
        step.chunk(request, tokens, request.computed)
        request.computed += tokens
        request.in_flight = step.index
        if request.findable:
            batch.cache.register(request, request.computed)
    step.finals = [request for request in step.requests if request.computed == request.target]
    if step.finals:
        batch.prefilling = [request for request in batch.prefilling if request.computed < request.target]
