"""One replica under the event loop: plan, wait, finish.

A chain of callbacks, not a generator, so that a pending step can be cut short at no cost. What
runs, and for how long, is the executor's; what is planned, and what the end of a step brings, is here. With
async scheduling the real engine plans step k + 1 when step k starts. That plan depends on nothing that
happens during step k, so it is made at the end of step k, before k's outputs are processed, from those who
had arrived when k started: `arriving` keeps the others apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from simpy import Environment
from simpy.events import Event, EventPriority

from simulator.cost.work import CostModel
from simulator.engine import desk
from simulator.engine.batch import Batch
from simulator.engine.complete import complete
from simulator.engine.desk import Engine
from simulator.engine.events import PLAN, Alarm
from simulator.engine.executor import Executor
from simulator.engine.request import Request
from simulator.engine.step import Step
from simulator.results.record import Recorder

Plan = Callable[[Batch, bool], Step]


class Replica:
    """One engine: its batch, and whose turn it is when.

    executor: what runs, until when; next: planned ahead (async); due: a plan is about to be made; unseen:
    since the last plan something happened that the next one may use.
    """

    __slots__ = (
        "arriving", "batch", "begin_load", "due", "ended", "env", "exact", "executor", "index", "name",
        "next", "outstanding", "plan", "plan_last", "released", "role", "steps", "totals", "unseen",
        "waiting_tokens", "watchers",
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
        leaps: bool = True,
        exact: bool = False,
        role: str = "both",
    ) -> None:
        """ended(replica, request, now) is told of each end; leaps False: one event a step; exact: no
        totals.
        """
        self.env = env
        self.index = index
        self.role = role
        self.name = name
        self.batch = batch
        self.plan = plan
        self.ended = ended
        self.exact = exact
        self.plan_last = EventPriority(PLAN | index)
        self.arriving: list[Request] = []
        self.released: list[Request] = []
        self.begin_load: Callable[[Engine, Request, int, float], None] | None = None
        self.watchers: list[Callable[[int], None]] = []
        self.next: Step | None = None
        self.due = self.unseen = False
        self.outstanding = self.waiting_tokens = self.steps = self.totals = 0
        self.executor = Executor(env, index, name, batch, cost, recorder, self._on_finish, leaps)

    # ── what comes from outside ───────────────────────────────────────────────────────────────────

    def submit(self, request: Request, now: float) -> None:
        """A request arrives; it is seen by the next plan, or with async scheduling by the one after (R71)."""
        executor = self.executor
        desk.arrive(self, request, now)
        if executor.step is None:
            self.look()
        elif executor.repeat > 1 and not (self.batch.waiting and self.batch.policy.ordered):
            executor.cut(now)

    def deliver(self, request: Request, now: float) -> None:
        """The KV of a request that this replica holds blocks for has come in (R84); seen like an arrival."""
        request.queued_s = now
        self.arriving.append(request)
        if self.executor.step is None:
            self._poll(now)
        elif self.executor.repeat > 1:
            self.executor.cut(now)

    def release(self, request: Request, now: float) -> None:
        """The KV of a request that has ended here was read (R81): its blocks are free from the next step
        on.
        """
        self.released.append(request)
        if self.executor.step is None:
            self._poll(now)

    # ── what routers see ──────────────────────────────────────────────────────────────────────────

    @property
    def waiting(self) -> int:
        """Requests that are here but in no batch."""
        return self.outstanding - len(self.batch.running)

    @property
    def queued_tokens(self) -> int:
        """Tokens still to be computed before first tokens."""
        return desk.queued_tokens(self)

    def kv_use(self, now: float) -> float:
        """Share of the KV blocks in use, 0 to 1; in a leap as if it were stepped."""
        cache = self.batch.cache
        return (cache.total - cache.free + self.executor.blocks_taken(now)) / cache.total

    def stop(self, now: float) -> None:
        """The run ends here, in the middle of things: record the steps that are done."""
        self.executor.stop(now)

    def report_steps(self, computing: Callable[[Step, float, float], None]) -> None:
        """computing(step, length, now) is told of each step with prompts in it when it starts."""
        self.executor.computing = computing

    def inside(self) -> Iterator[Request]:
        """Requests that have not ended here."""
        return desk.inside(self)

    # ── when to plan ──────────────────────────────────────────────────────────────────────────────

    def look(self) -> None:
        """Nothing runs, and something may be there to plan for."""
        if self.due:
            return
        group = self.executor.group
        if group is not None and group.running:
            group.cut(self.env.now)
            return
        self.due = True
        wait_s = 0.0 if group is None else group.wait_s(self.env.now)
        self.env.schedule(Alarm(self.env, self._on_plan), self.plan_last, wait_s)

    def _poll(self, now: float) -> None:
        """An idle engine looks at its transfers every millisecond (R87), in a group at every step (R104)."""
        if self.executor.group is not None:
            self.look()
        elif not self.due:
            at = desk.next_poll_s(self.executor.end_s, now)
            self.env.schedule(Alarm(self.env, self._on_poll), self.plan_last, at - now)

    def _on_poll(self, event: Event) -> None:
        if self.executor.step is None and not self.due:
            self._on_plan(event)

    # ── a step ends ───────────────────────────────────────────────────────────────────────────────

    def _on_finish(self, event: Event) -> None:
        executor = self.executor
        if event is not executor.alarm:
            return
        env, batch, step = self.env, self.batch, executor.step
        assert step is not None
        now = env.now
        executor.over(step, now)
        self.steps += executor.repeat
        if step.totals:
            self.totals += executor.repeat
        index = batch.step - 1
        if batch.args.async_scheduling:
            self._plan_ahead(now)
        executor.step = None
        free = batch.cache.free
        for request in complete(batch, index, step):
            self._end(request, now)
        if batch.cache.free > free:
            self.unseen = True
        if self.released:
            desk.take_back(self)
        if env.peek() > now:
            self._on_plan(event)
        else:
            self.look()

    def _plan_ahead(self, now: float) -> None:
        """The plan that the real engine made when the step that ends now started (the last one of a leap)."""
        seen_s = self.executor.start_s
        if self.executor.repeat > 1:
            seen_s = self.executor.last_start_s()
            if self.arriving:
                desk.take_arrivals(self, seen_s)
        self.next = self._planned(seen_s, now)

    def _end(self, request: Request, now: float) -> None:
        if request.counted == 0:
            self.executor.clocks.stop(request)
        if request.since >= 0 and self.next is not None and request not in self.next.left_out:
            self.executor.clocks.wasted += 1
        desk.left(self, request, now)

    # ── the next one is planned ───────────────────────────────────────────────────────────────────

    def _on_plan(self, event: Event) -> None:
        self.due = False
        now = self.env.now
        if self.released:
            desk.take_back(self)
        if self.arriving:
            desk.take_arrivals(self, now)
        step, self.next = self.next, None
        if step is not None and step.empty:
            self._finish_empty(step, now)
            step = None
        if step is None:
            if not self.batch.running and self.batch.vacant():
                self._idle(now)
                return
            step = self._planned(now, now)
            if step.empty:
                self._finish_empty(step, now)
                if self.batch.running or self.batch.waiting:
                    step = self._planned(now, now)
        if step.empty:
            self._idle(now)
        else:
            self.executor.start(step, now, self.unseen)

    def _planned(self, seen_s: float, now: float) -> Step:
        """Plan the next step from what was known at seen_s."""
        self.batch.now_s = seen_s
        step = self.plan(self.batch, self.exact)
        self.unseen = False
        if step.preempted or step.left_out:
            self.executor.clocks.interrupted(step, self.batch, now)
        for request in step.resumed:
            desk.count_waiting(self, request, 0)
            self.executor.clocks.resumed(request, seen_s, now)
        if step.admitted or step.chunks or step.loads or step.preempted:
            desk.admitted(self, step, seen_s, now)
        return step

    def _finish_empty(self, step: Step, now: float) -> None:
        """A step without work takes no time; what the one before it freed can be used by the next (R70)."""
        for request in complete(self.batch, step.index):
            self._end(request, now)

    def _idle(self, now: float) -> None:
        self.executor.close()
        desk.check_stuck(self, now)
