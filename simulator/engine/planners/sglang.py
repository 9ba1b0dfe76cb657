"""SGLang's scheduler: prefill before decodes, admission by expected outputs, retraction (S1–S8)."""

from __future__ import annotations

from simulator.engine import decoding
from simulator.engine.admission import RESERVED_STEPS, Admission, left
from simulator.engine.batch import Batch
from simulator.engine.compose import begin, blocks, conclude, decode_all, go_on, known_tokens, pause, take_in
from simulator.engine.radix import RadixCache
from simulator.engine.request import Request
from simulator.engine.step import Step, added
from simulator.errors import InputError, Problem


def plan(batch: Batch, exact: bool = False) -> Step:
    """A prefill batch if one can be formed (S1), else one of decodes."""
    begin(batch)
    admission = batch.admission
    if admission is None:
        admission = batch.admission = Admission(batch.args.schedule_conservativeness)
    if batch.prefilling and isinstance(batch.cache, RadixCache):
        batch.cache.insert(batch.prefilling[0], batch.prefilling[0].computed)
    step = pause(batch)
    if _tries(batch, admission):
        _prefill(batch, step, admission)
    if step.requests:
        _mix(batch, step, admission, exact)
    else:
        step = _decode(batch, admission, exact)
    admission.running = len(batch.running)
    if not batch.running and not batch.waiting:
        admission.reset(admission.initial, batch.step)
    return conclude(batch, step)


def _tries(batch: Batch, admission: Admission) -> bool:
    """Whether a prefill batch is tried: not while shut (S6), but a prompt under way always goes on (S3)."""
    if len(batch.running) < admission.running or len(batch.running) == len(batch.prefilling):
        admission.shut = False
    if batch.prefilling:
        return True
    if batch.waiting and batch.full():
        admission.shut = True
    return bool(batch.waiting) and not admission.shut


class _Budget:
    """What is left for one prefill batch, in tokens (S3, S4): of its chunk (None: no chunks), of its input,
    and of the memory that is neither held nor expected to be.
    """

    __slots__ = ("batch", "chunk", "input", "now", "page", "reserved")

    def __init__(self, batch: Batch, reserved: float) -> None:
        args = batch.args
        mixed = batch.decodes if args.enable_mixed_chunk else 0
        self.batch = batch
        self.page = args.block_size
        self.chunk = args.max_num_batched_tokens - mixed if args.enable_chunked_prefill else None
        self.input = (args.max_prefill_tokens or args.max_num_batched_tokens) - mixed
        self.reserved = reserved + mixed
        self.now = mixed

    def memory(self) -> float:
        return self.batch.cache.free * self.page - self.reserved

    def spent(self) -> bool:
        return self.input <= 0 or (self.chunk is not None and self.chunk <= 0)

    def short(self) -> bool:
        return self.memory() <= 0 or self.batch.cache.free * self.page <= self.now

    def charge(self, tokens: int, outputs: int) -> None:
        """A request got so many tokens, whose pages are taken by now; one page more may be needed."""
        paged = blocks(self.batch, tokens) * self.page
        self.reserved += self.page + outputs
        self.now += self.page
        self.input -= paged
        if self.chunk is not None:
            self.chunk -= paged


def _prefill(batch: Batch, step: Step, admission: Admission) -> None:
    """The prompt under way first, then those waiting, in order (S3, S6)."""
    budget = _Budget(batch, admission.reserved(batch))
    for request in batch.prefilling[:1]:
        _continue(batch, step, request, budget)
    while batch.waiting and not budget.spent():
        if batch.full():
            admission.shut = True
            break
        request = batch.waiting.head()
        request.hit = batch.cache.lookup(request, known_tokens(request))
        if not _fits(request, budget):
            admission.shut = bool(step.requests) or bool(batch.running)
            break
        tokens = _share(request, budget, bool(step.requests))
        if tokens <= 0:
            break
        batch.waiting.take()
        take_in(batch, step, request, tokens, request.hit + tokens)
        whole = request.computed == request.target
        budget.charge(tokens, left(request, 0) if whole else 0)
        if budget.short():
            admission.shut = True
            break


def _continue(batch: Batch, step: Step, request: Request, budget: _Budget) -> None:
    """The next chunk of the prompt under way; it goes on even where memory is promised to others."""
    rest = request.target - request.computed
    most = rest if budget.chunk is None else min(rest, budget.chunk)
    if budget.memory() >= 1:
        most = min(most, int(budget.memory()))
    held = blocks(batch, request.computed)
    tokens = min(most, (held + batch.cache.free) * budget.page - request.computed)
    if tokens > 0:
        batch.cache.take(blocks(batch, request.computed + tokens) - held)
        go_on(batch, step, request, tokens)
        budget.charge(tokens, left(request, 0) if tokens == rest else 0)


def _fits(request: Request, budget: _Budget) -> bool:
    """S4: its prompt and its longest output, beside what others hold and are expected to need."""
    need = known_tokens(request) - request.hit + left(request, request.emitted) + budget.page
    return need < budget.memory() - request.evictable * budget.page


def _share(request: Request, budget: _Budget, others: bool) -> int:
    """Tokens of its first chunk, cut at the end of a page; 0 where it must wait for the next batch (S3)."""
    tokens = known_tokens(request) - request.hit
    paged = -(-tokens // budget.page) * budget.page
    if budget.chunk is None:
        return 0 if others and paged >= budget.input else tokens
    if paged <= budget.chunk:
        return tokens
    return (request.hit + budget.chunk) // budget.page * budget.page - request.hit


def _mix(batch: Batch, step: Step, admission: Admission, exact: bool) -> None:
    """S2: the decodes join the prefill batch if their next tokens find room."""
    due = batch.due[batch.step % batch.args.block_size]
    if batch.args.enable_mixed_chunk and batch.decodes and due <= batch.cache.free:
        step.index = batch.step
        step.alone = False
        admission.since += 1
        decode_all(batch, step, exact)


def _decode(batch: Batch, admission: Admission, exact: bool) -> Step:
    """Every decode gets its token; where their pages do not fit, some are retracted (S8)."""
    if batch.due[batch.step % batch.args.block_size] <= batch.cache.free:
        step = Step(batch.step) if batch.decodes else pause(batch)
        decode_all(batch, step, exact)
        return step
    if any(request.since < 0 <= request.free_step for request in batch.running):
        return pause(batch)  # what is in flight ends some: their pages will do
    step = Step(batch.step)
    _retract(batch, step, admission)
    decode_all(batch, step, exact)
    return step


def _retract(batch: Batch, step: Step, admission: Admission) -> None:
    """Fewest output tokens first, then the longest prompt, until the others' next tokens fit (S8)."""
    decoding = [request for request in batch.running if request.since >= 0]
    kept = sorted(decoding, key=lambda r: (batch.generated(r), -r.prompt), reverse=True)
    while len(kept) > 1:
        victim = kept.pop()
        _stop(batch, victim)
        step.preempted = added(step.preempted, victim)
        if isinstance(batch.cache, RadixCache):
            batch.cache.reclaim(RESERVED_STEPS * len(kept))
        if batch.due[batch.step % batch.args.block_size] <= batch.cache.free:
            break
    if batch.due[batch.step % batch.args.block_size] > batch.cache.free:
        what = f"request {kept[0].row} alone needs more KV cache than there is; the engine would abort it"
        raise InputError(Problem("num_gpu_blocks", what, "a smaller max_model_len"))
    admission.retracted(batch, kept)
    admission.shut = False


def _owed(batch: Batch, request: Request) -> bool:
    """Whether a token of a decoding request is in flight (S11)."""
    if batch.lone is not None:
        return request in batch.lone.finals
    return batch.args.async_scheduling and batch.completed < batch.step - 1


def _stop(batch: Batch, request: Request) -> None:
    """Its pages are free at once, what was in the tree stays there, and it waits again, behind all others."""
    held = batch.computed(request)
    decoding.stop_decoding(batch, request, _owed(batch, request))
    batch.cache.release(request, held, request.registered * batch.args.block_size)
    request.computed = 0
    request.since = request.free_step = -1
    request.preemptions += 1
    del batch.running[request]
    batch.waiting.add(request)
