"""One replica whose layers are cut into stages: several batches in flight, one behind the other (R70, R74).

Like replica.py a chain of callbacks. A step's whole way is known when it is planned, since nothing overtakes:
a stage takes it when the step before has left that stage and its input has come, the recursion of a tandem
line. So there is one live event, the end of the oldest step; then its outputs are seen, and steps are planned
until the pipeline is full. Asynchronous scheduling plans one more than the pipeline holds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from simpy import Environment
from simpy.events import Event, EventPriority

from simulator.cost.pipeline import Passage, Split
from simulator.cost.work import CostModel, decodes_alone_s
from simulator.engine import desk, lane_clocks, lanes, stuck, turns
from simulator.engine.batch import Batch
from simulator.engine.clocks import share_own
from simulator.engine.complete import complete
from simulator.engine.desk import Engine
from simulator.engine.events import FINISH, PLAN, Alarm
from simulator.engine.lane import Lane
from simulator.engine.request import Request
from simulator.engine.rows import mixed_row, stage_rows
from simulator.engine.step import Step
from simulator.engine.tandem import Flight, Tandem
from simulator.results.record import Recorder

Plan = Callable[[Batch, bool], Step]


class Pipelined:
    """An Engine of so many stages.

    flights: planned and not complete, the oldest first, at most `depth`; free: lanes without one, in the
    order of their turns (synchronous scheduling).
    """

    __slots__ = (
        "alarm", "arriving", "batch", "begin_load", "computing", "cost", "depth", "drought",
        "due", "end_s", "ended", "env", "exact", "finish_first", "flights", "free", "index", "lanes", "name",
        "outstanding", "plan", "plan_last", "recorder", "released", "role", "split", "steps", "tandem",
        "totals", "unseen", "waiting_tokens", "watchers",
    )  # fmt: skip

    def __init__(
        self,
        env: Environment,
        index: int,
        name: str,
        batch: Batch,
        cost: CostModel,
        plan: Plan,
        recorder: Recorder,
        ended: Callable[[Engine, Request, float], None],
        exact: bool,
        role: str,
        stages: int,
        split: Split,
    ) -> None:
        """split: a step's time on each of the stages; the others as in Replica."""
        self.env = env
        self.index = index
        self.name = name
        self.role = role
        self.batch = batch
        self.cost = cost
        self.split = split
        self.plan = plan
        self.exact = exact
        self.recorder = recorder
        self.ended = ended
        self.finish_first = EventPriority(FINISH | index)
        self.plan_last = EventPriority(PLAN | index)
        self.arriving: list[Request] = []
        self.released: list[Request] = []
        self.begin_load: Callable[[Engine, Request, int, float], None] | None = None
        self.computing: Callable[[Step, float, float], None] | None = None
        self.watchers: list[Callable[[int], None]] = []
        self.alarm: Event | None = None
        self.due = self.unseen = False
        self.end_s = 0.0
        self.outstanding = self.waiting_tokens = self.steps = self.totals = 0
        self.drought = stuck.Drought()
        self.lanes = [Lane(batch.args.block_size) for _ in range(stages)]
        batch.lane = self.lanes[0]
        batch.step = self.lanes[0].step
        self.free = deque(self.lanes)
        self.tandem = Tandem(stages)
        self.depth = stages + batch.args.async_scheduling
        self.flights: deque[Flight] = deque()

    # ── what comes from outside, what routers see ─────────────────────────────────────────────────

    def submit(self, request: Request, now: float) -> None:
        """A request arrives; it is seen when the oldest step's outputs are (R71)."""
        desk.arrive(self, request, now)
        if not self.flights:
            self._plan_soon()

    def deliver(self, request: Request, now: float) -> None:
        """The KV of a request that this replica holds blocks for has come in (R84); seen like an arrival."""
        request.queued_s = now
        self.arriving.append(request)
        self._poll(now)

    def release(self, request: Request, now: float) -> None:
        """The KV of a request that has ended here was read (R81)."""
        self.released.append(request)
        self._poll(now)

    def _poll(self, now: float) -> None:
        if not self.flights and not self.due:
            at = desk.next_poll_s(self.end_s, now)
            self.env.schedule(Alarm(self.env, self._on_poll), self.plan_last, at - now)

    def _on_poll(self, event: Event) -> None:
        if not self.flights and not self.due:
            self._on_plan(event)

    @property
    def waiting(self) -> int:
        """Requests that are here but in no batch."""
        return self.outstanding - len(self.batch.running)

    @property
    def queued_tokens(self) -> int:
        """Tokens still to be computed before first tokens."""
        return desk.queued_tokens(self)

    def kv_use(self, now: float) -> float:
        """Share of the KV blocks in use, 0 to 1."""
        cache = self.batch.cache
        return (cache.total - cache.free) / cache.total

    def stop(self, now: float) -> None:
        """The run ends here: what is in flight was not done."""
        self.flights.clear()

    def report_steps(self, computing: Callable[[Step, float, float], None]) -> None:
        """computing(step, length, now) is told of each step with prompts in it when it starts."""
        self.computing = computing

    def inside(self) -> Iterator[Request]:
        """Requests that have not ended here."""
        for request in self.batch.running:
            request.emitted = max(request.emitted, lanes.made(self.batch, request))
        yield from self.arriving
        yield from (request for request in self.batch.everyone() if request not in self.arriving)

    # ── the oldest step ends ──────────────────────────────────────────────────────────────────────

    def _on_finish(self, event: Event) -> None:
        if event is not self.alarm:
            return
        self.alarm = None
        self.complete(self.flights.popleft(), self.env.now)
        if self.env.peek() > self.env.now:
            self._on_plan(event)
        else:
            self._plan_soon()

    def complete(self, flight: Flight, now: float) -> None:
        """Its outputs are seen; its lane may be planned again."""
        batch, lane, step = self.batch, flight.lane, flight.step
        lanes.enter(batch, lane)
        batch.completed = step.number
        if not step.empty:
            self._account(flight, now)
        free = batch.cache.free
        for request in complete(batch, step.index):
            self._end(request, now)
        if batch.cache.free > free:
            self.unseen = True
        if self.released:
            desk.take_back(self)
        if not batch.args.async_scheduling:
            turns.gather(self, lane)

    def _account(self, flight: Flight, now: float) -> None:
        lane, step, gaps = flight.lane, flight.step, self.recorder.gaps
        self.steps += 1
        self.totals += step.totals
        self.end_s = now
        if step.chunks:
            share_own(step, now - flight.moves_s)
        if step.decodes:
            times = (flight.start_s, now, flight.own_s)
            lane_clocks.decoded(lane, step, times, flight.returning, gaps)
        if step.finals:
            lane_clocks.first_tokens(lane, step, flight.start_s, now, gaps)
        lane.seen_s = now
        length = now - flight.start_s
        row = mixed_row(self.index, flight.start_s, length, step, flight.work, flight.price, flight.used)
        self.recorder.step_runs.append(row)
        self.recorder.stage_runs.extend(stage_rows(self.index, flight.stages, flight.moves_s, row))

    def _end(self, request: Request, now: float) -> None:
        if request.counted == 0:
            lane_clocks.stop(request)
        if request.since >= 0 and request.lane is not None:
            request.lane.wasted += 1
        desk.left(self, request, now)

    # ── steps are planned ─────────────────────────────────────────────────────────────────────────

    def _plan_soon(self) -> None:
        if not self.due:
            self.due = True
            self.env.schedule(Alarm(self.env, self._on_plan), self.plan_last)

    def _on_plan(self, event: Event) -> None:
        self.due = False
        now = self.env.now
        if self.released:
            desk.take_back(self)
        if self.arriving:
            desk.take_arrivals(self, now)
        turns.fill(self, now)
        if not self.flights:
            desk.check_stuck(self, now)
        elif self.alarm is None:
            self._wake(self.flights[0].end_s, now)

    def _wake(self, at: float, now: float) -> None:
        self.alarm = alarm = Alarm(self.env, self._on_finish)
        self.env.schedule(alarm, self.finish_first, at - now)

    def planned(self, lane: Lane, now: float) -> Step:
        """The lane's next step, from what is known now."""
        batch = self.batch
        lanes.enter(batch, lane)
        batch.now_s = now
        step = self.plan(batch, self.exact)
        batch.cache.keep_order()
        self.unseen = False
        if step.preempted or step.left_out:
            lane_clocks.interrupted(step, batch)
        for request in step.left_out:
            if request.since >= 0:
                turns.move(self, request, turns.after(self, lane))
        for request in step.resumed:
            desk.count_waiting(self, request, 0)
            lane_clocks.resumed(request, now)
        desk.admitted(self, step, now, now)
        return step

    # ── and sent on their way ─────────────────────────────────────────────────────────────────────

    def sent(self, lane: Lane, step: Step, now: float) -> Flight:
        """A step just planned, and its way through the pipeline."""
        batch = self.batch
        step.number, batch.numbers = batch.numbers, batch.numbers + 1
        flight = Flight(lane, step, self.flights[-1].end_s if self.flights else now)
        if step.empty:
            return flight
        for request in step.requests:
            request.in_flight = step.number
        self.drought.note(self.name, batch, step)
        flight.work = work = step.work()
        flight.price = self.cost.price(work)
        flight.used = batch.cache.total - batch.cache.free
        passage = self.split(work, flight.price.seconds)
        flight.own_s = decodes_alone_s(self.cost, work) if work.decodes and work.chunks else _sum(passage)
        before_s = self.tandem.free_s[-1]
        flight.stages = self.tandem.enter(passage, max(now, lane.end_s))
        flight.start_s, flight.end_s = flight.stages[0][0], flight.stages[-1][1]
        flight.moves_s = max(flight.start_s, before_s)
        flight.returning = lane_clocks.joined(lane, step)
        lane.last, lane.number, lane.end_s = step, step.number, flight.end_s
        if self.computing is not None and step.chunks:
            self._tell(flight, now)
        return flight

    def _tell(self, flight: Flight, now: float) -> None:
        """When the step begins, to who sends its KV on."""
        tell, length = self.computing, flight.end_s - flight.start_s
        assert tell is not None
        alarm = Alarm(self.env, lambda event: tell(flight.step, length, self.env.now))
        self.env.schedule(alarm, self.plan_last, flight.start_s - now)


def _sum(passage: Passage) -> float:
    return passage.host_s + sum(passage.stages_s)
