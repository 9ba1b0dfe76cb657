"""What every replica does the same, however its steps follow one another: who comes in, what routers count,
what a plan makes of those it admits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from simulator.engine import stuck
from simulator.engine.batch import Batch
from simulator.engine.complete import loaded, sent
from simulator.engine.request import Request
from simulator.engine.step import Step

POLL_S = 0.0009765625  # a millisecond, on the time grid


class Engine(Protocol):
    """A replica as the fleet and routers see it, and what it has on its desk.

    arriving: those who came, or whose KV came, and whom no plan has seen; released: those whose KV was read;
    unseen: since the last plan something happened that the next one may use; waiting_tokens: to be computed
    before the first tokens of those who wait; outstanding: requests that have not ended here. ended(engine,
    request, now): is told of each that does.
    """

    arriving: list[Request]
    batch: Batch
    begin_load: Callable[[Engine, Request, int, float], None] | None
    ended: Callable[[Engine, Request, float], None]
    index: int
    name: str
    outstanding: int
    released: list[Request]
    role: str
    steps: int
    totals: int
    unseen: bool
    waiting_tokens: int
    watchers: list[Callable[[int], None]]

    @property
    def waiting(self) -> int: ...

    @property
    def queued_tokens(self) -> int: ...

    def submit(self, request: Request, now: float) -> None: ...

    def deliver(self, request: Request, now: float) -> None: ...

    def release(self, request: Request, now: float) -> None: ...

    def kv_use(self, now: float) -> float: ...

    def stop(self, now: float) -> None: ...

    def inside(self) -> Iterator[Request]: ...

    def report_steps(self, computing: Callable[[Step, float, float], None]) -> None: ...


def announce(engine: Engine, request: Request) -> None:
    """A request will come in: routers see it from now on."""
    request.announced = True
    request.counted = 0 if request.remote else request.prompt
    engine.waiting_tokens += request.counted
    engine.outstanding += 1


def arrive(engine: Engine, request: Request, now: float) -> None:
    """A request comes in."""
    if not request.announced:
        announce(engine, request)
    request.queued_s = now
    engine.arriving.append(request)


def take_arrivals(engine: Engine, until_s: float) -> None:
    """Into the queue, those who came by then."""
    waiting = engine.batch.waiting
    later = []
    if not waiting or not engine.batch.policy.ordered:
        engine.unseen = True
    for request in engine.arriving:
        if request.queued_s > until_s:
            later.append(request)
        elif request in engine.batch.holding:
            loaded(engine.batch, request)
            engine.unseen = True
        else:
            waiting.add(request)
    engine.arriving = later


def take_back(engine: Engine) -> None:
    """The blocks of those whose KV was read (R81)."""
    for request in engine.released:
        sent(engine.batch, request)
    engine.released = []
    engine.unseen = True
    if engine.watchers:
        tell(engine)


def admitted(engine: Engine, step: Step, seen_s: float, now: float) -> None:
    """What a plan made at `now`, from what was known at seen_s, means for those it took in or put back."""
    for request in step.preempted:
        count_waiting(engine, request, request.prompt + request.emitted)
    for request in step.admitted:
        count_waiting(engine, request, 0)
        if not request.preemptions:
            request.first_scheduled_s = seen_s
            request.cached = request.hit
    if step.loads and engine.begin_load is not None:
        for request, tokens in step.loads:
            engine.begin_load(engine, request, tokens, now)
    if step.chunks and engine.watchers:
        tell(engine)


def count_waiting(engine: Engine, request: Request, tokens: int) -> None:
    """So many of its tokens wait to be computed."""
    engine.waiting_tokens += tokens - request.counted
    request.counted = tokens


def queued_tokens(engine: Engine) -> int:
    """Tokens still to be computed before first tokens: of those waiting and those in prefill."""
    queued = engine.waiting_tokens
    for request in engine.batch.prefilling:
        queued += request.target - request.computed
    return queued


def next_poll_s(last_s: float, now: float) -> float:
    """When an idle engine, whose last step ended at last_s, next looks at its transfers: every millisecond
    (R87).
    """
    ticks = (now - last_s) // POLL_S + 1
    return max(last_s + ticks * POLL_S, now)


def left(engine: Engine, request: Request, now: float) -> None:
    """A request has ended here."""
    engine.outstanding -= 1
    engine.waiting_tokens -= request.counted
    engine.unseen = True
    if engine.watchers:
        tell(engine)
    engine.ended(engine, request, now)


def tell(engine: Engine) -> None:
    """The load may have fallen: routers that keep order by load want to know."""
    for told in engine.watchers:
        told(engine.index)


def inside(engine: Engine) -> Iterator[Request]:
    """Requests that have not ended here: arriving, waiting, loading or running."""
    yield from engine.arriving
    for request in engine.batch.everyone():
        if request.since >= 0:
            request.emitted = max(request.emitted, engine.batch.computed(request) - request.prompt)
        if request not in engine.arriving:
            yield request


def check_stuck(engine: Engine, now: float) -> None:
    """Nothing can run now. Raises InputError where nothing ever will."""
    batch = engine.batch
    left = batch.running or batch.waiting or batch.swapped
    if left and not batch.holding and not batch.sending:
        assert not batch.running, f"{engine.name} at {now} s: nothing to run for {len(batch.running)} running"
        raise stuck.explain(engine.name, batch)
