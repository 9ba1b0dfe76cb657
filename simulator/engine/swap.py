"""Preemption by swapping: a request's KV goes to the host's memory and comes back (V8, V9)."""

from __future__ import annotations

from simulator.engine import decoding
from simulator.engine.batch import Batch
from simulator.engine.request import Request


def swap_out(batch: Batch, request: Request) -> None:
    """A decoding request's blocks go to the host; it keeps what it computed and waits there."""
    computed = batch.computed(request)
    decoding.stop_decoding(batch, request, False)
    batch.cache.release(request, computed, 0)
    batch.host_free -= -(-computed // batch.args.block_size)
    request.computed = computed
    request.since = request.free_step = -1
    request.preemptions += 1
    del batch.running[request]
    batch.swapped.append(request)


def swap_in(batch: Batch, request: Request) -> None:
    """It decodes again, as though its last token had come from a chunk in the step before."""
    batch.swapped.remove(request)
    batch.host_free += -(-request.computed // batch.args.block_size)
    batch.cache.admit(request, request.computed)
    request.target = request.computed
    request.emitted -= 1
    batch.running[request] = None
    request.seq = batch.admissions
    batch.admissions += 1
    decoding.join(batch, request, batch.step)
