"""Iteration-level scheduling (Orca): requests join and leave between steps, with whole prompts (O1–O3)."""

from __future__ import annotations

from simulator.engine.batch import Batch
from simulator.engine.compose import begin, blocks, conclude, decode_all, known_tokens, take_in
from simulator.engine.step import Step


def plan(batch: Batch, exact: bool = False) -> Step:
    """Every running request goes on; those waiting join in order while a slot and its memory are free."""
    begin(batch)
    step = Step(batch.step)
    decode_all(batch, step, exact)
    admit(batch, step)
    return conclude(batch, step)


def admit(batch: Batch, step: Step) -> None:
    """Whole prompts in order, each with the memory of the longest request (O2), in the step's budget (O3)."""
    budget = batch.args.max_num_batched_tokens
    reserved = blocks(batch, batch.args.max_model_len)
    while batch.waiting and not batch.full() and batch.cache.free >= reserved:
        request = batch.waiting.head()
        tokens = known_tokens(request)
        if tokens > budget:
            break
        batch.waiting.take()
        take_in(batch, step, request, tokens, tokens)
        budget -= tokens
