"""Decodes of engines that ask for a free block for each: vLLM V0 and its block manager's users (V6, V7)."""

from __future__ import annotations

from collections.abc import Callable

from simulator.engine.batch import Batch
from simulator.engine.compose import decode_all
from simulator.engine.preemption import preempt
from simulator.engine.request import Request
from simulator.engine.step import Step, added


def decode_or_preempt(
    batch: Batch, step: Step, exact: bool, evict: Callable[[Batch, Request], None] | None = None
) -> None:
    """Each decode, the earliest arrival first, needs a free block, whether or not it takes one (V6).

    Where none is, the policy's victim among those not served yet goes: it is preempted, or evict(batch,
    victim) is called.
    """
    due = batch.due[batch.step % batch.args.block_size]
    if exact or due + batch.margin > batch.cache.free:
        _one_by_one(batch, step, evict or _preempt)
    else:
        decode_all(batch, step, False)


def _preempt(batch: Batch, request: Request) -> None:
    preempt(batch, request, False)


def _one_by_one(batch: Batch, step: Step, evict: Callable[[Batch, Request], None]) -> None:
    cache, block = batch.cache, batch.args.block_size
    left = sorted(batch.running, key=lambda request: request.order)
    while left:
        request = left.pop(0)
        if request.since < 0:
            continue
        while cache.free < batch.margin:
            victim = left.pop(batch.policy.victim(left)) if left else request
            if victim.since >= 0:
                step.interrupted = added(step.interrupted, victim)
            evict(batch, victim)
            step.preempted = added(step.preempted, victim)
            if victim is request:
                break
        else:
            context = batch.computed(request)
            step.decodes += 1
            step.context_sum += context + 1
            cache.take(context % block == 0)
