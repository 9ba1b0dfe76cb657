"""What the planners share: taking requests in, giving every decode its token, ending a plan."""

from __future__ import annotations

from simulator.engine import decoding
from simulator.engine.batch import Batch
from simulator.engine.request import Request
from simulator.engine.step import Step, added


def begin(batch: Batch) -> None:
    """Who is certain to have ended leaves the totals."""
    if batch.step in batch.leaves:
        decoding.leave(batch, batch.step)


def pause(batch: Batch) -> Step:
    """A step without decodes: those that decode sit it out, so their clock, `batch.step`, stands still."""
    step = Step(batch.step - 1)
    step.alone = True
    return step


def known_tokens(request: Request) -> int:
    """What must be computed before its next token: the prompt, and the output that it had when preempted."""
    return request.prompt + request.emitted


def blocks(batch: Batch, tokens: int) -> int:
    return -(-tokens // batch.args.block_size)


def take_in(batch: Batch, step: Step, request: Request, tokens: int, held: int) -> None:
    """To the end of `running`, with a first chunk of `tokens`; takes the blocks of `held` tokens."""
    request.target = known_tokens(request)
    request.computed = request.hit + tokens
    batch.cache.admit(request, held)
    batch.running[request] = None
    request.seq = batch.admissions
    batch.admissions += 1
    step.admitted = added(step.admitted, request)
    step.chunk(request, tokens, request.hit)
    if request.computed == request.target:
        step.finals = added(step.finals, request)
    else:
        batch.prefilling.append(request)


def go_on(batch: Batch, step: Step, request: Request, tokens: int) -> None:
    """The next chunk of a request in prefill."""
    step.chunk(request, tokens, request.computed)
    request.computed += tokens
    if request.computed == request.target:
        step.finals = added(step.finals, request)
        batch.prefilling.remove(request)


def decode_all(batch: Batch, step: Step, exact: bool) -> None:
    """Every request that decodes gets its token and the block that it needs. exact: counted one by one."""
    block = batch.args.block_size
    step.decodes, step.context_sum = batch.decodes, batch.context_sum
    due = batch.due[batch.step % block]
    if exact:
        contexts = [batch.computed(request) for request in batch.running if request.since >= 0]
        step.decodes, step.context_sum = len(contexts), sum(contexts) + len(contexts)
        due = sum(context % block == 0 for context in contexts)
    step.totals = not exact
    if due:
        batch.cache.take(due)


def conclude(batch: Batch, step: Step) -> Step:
    """Contexts grow; those past their prompt decode from the next step on."""
    batch.step = step.index + 1
    batch.context_sum += step.decodes
    for request in step.finals:
        decoding.join(batch, request, batch.step)
        if step.alone and request.free_step < batch.step:
            batch.frees[request.free_step].remove(request)
            step.ending = added(step.ending, request)
    if step.alone and step.requests:
        batch.lone = step
    if not step.empty:
        batch.executed += 1
    return step
