"""KV that comes from another engine: blocks for it, and what a request does when it is there (R82, R113)."""

from __future__ import annotations

from simulator.engine import decoding
from simulator.engine.batch import Batch
from simulator.engine.request import Request
from simulator.engine.step import Step, added


def start_load(batch: Batch, step: Step, request: Request) -> bool:
    """R82: take the blocks of the whole prompt, and of a token that comes with it (R113), and wait for its
    KV; False if they are not free.
    """
    cache, block = batch.cache, batch.args.block_size
    hit = cache.lookup(request, request.prompt) if request.findable else 0
    tokens = request.prompt + request.ahead
    blocks = -(-tokens // block) - request.hit_blocks + request.evictable
    blocks += sum(-(-other.target // block) - -(-other.computed // block) for other in batch.prefilling)
    if batch.running:
        blocks += batch.watermark
    if blocks > cache.free:
        return False
    cache.admit(request, tokens)
    batch.holding[request] = None
    request.load_order = batch.loads
    batch.loads += 1
    step.loads = added(step.loads, (request, request.prompt - hit))
    return True


def go_on(batch: Batch, step: Step, request: Request) -> None:
    """R113: its first token came with its KV: it decodes, as though its prompt had ended here a step ago."""
    del batch.holding[request]
    batch.cache.register(request, request.prompt)
    request.remote = request.ahead = False
    request.hit = request.target = request.prompt
    request.emitted = 0
    batch.running[request] = None
    request.seq = batch.admissions
    batch.admissions += 1
    step.decodes += 1
    step.context_sum += request.prompt + 1
    step.admitted = added(step.admitted, request)
    step.resumed = added(step.resumed, request)
    decoding.join(batch, request, step.index)
