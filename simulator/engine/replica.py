"""One replica under the event loop: plan, wait, finish.

A chain of callbacks, not a generator, so that a pending step can be cut short at no cost: a replica has
one live event, and one that was cut stays in the heap and is ignored. With async scheduling the real
engine plans step k + 1 when step k starts. That plan depends on nothing that happens during step k, so it
is made at the end of step k, before k's outputs are processed, from those who had arrived when k started:
`arriving` keeps the others apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from simpy import Environment
from simpy.events import Event, EventPriority

from simulator.cost.work import CostModel, Line, Price, Work
from simulator.engine import stuck
from simulator.engine.batch import Batch
from simulator.engine.clocks import Clocks
from simulator.engine.complete import complete
from simulator.engine.desk import (
    Engine,
    admitted,
    arrive,
    check_stuck,
    count_waiting,
    inside,
    next_poll_s,
    queued_tokens,
    take_arrivals,
    take_back,
    tell,
)
from simulator.engine.events import FINISH, PLAN, Alarm
from simulator.engine.leap import Anchor, advance, blocks_of, boundary, end_s, repeats, stretch_s
from simulator.engine.request import Request
from simulator.engine.rows import anchor_row, mixed_row
from simulator.engine.step import Step
from simulator.results.record import Recorder
from simulator.units import on_grid

if TYPE_CHECKING:
    from simulator.cost.lock_step import Pace
    from simulator.engine.lock_step import Group

Plan = Callable[[Batch, bool], Step]


class Replica:
    """One engine: its batch, what it runs now and until when.

    step: what runs now (the first of `repeat` equal ones), None when idle; next: planned ahead (async);
    anchor: the run of decode-only steps that `step` belongs to; unseen: since the last plan something
    happened that the next one may use; group: ranks that it steps together with.
    """

    __slots__ = (
        "alarm", "anchor", "arriving", "batch", "begin_load", "clocks", "computing", "copy_s", "cost",
        "drought", "due", "end_s", "ended", "env", "exact", "finish_first", "group", "index", "leaps",
        "name", "next", "outstanding", "plan", "plan_last", "recorder", "released", "repeat", "role",
        "start_s", "step", "steps", "totals", "unseen", "used", "waiting_tokens", "watchers",
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
        self.cost = cost
        self.plan = plan
        self.recorder = recorder
        self.ended = ended
        self.leaps = leaps
        self.exact = exact
        self.finish_first = EventPriority(FINISH | index)
        self.plan_last = EventPriority(PLAN | index)
        self.arriving: list[Request] = []
        self.released: list[Request] = []
        self.begin_load: Callable[[Engine, Request, int, float], None] | None = None
        self.computing: Callable[[Step, float, float], None] | None = None
        self.watchers: list[Callable[[int], None]] = []
        self.group: Group | None = None
        self.outstanding = 0
        self.step: Step | None = None
        self.next: Step | None = None
        self.alarm: Event | None = None
        self.anchor: Anchor | None = None
        self.due = self.unseen = False
        self.repeat = 1
        self.start_s = self.end_s = self.copy_s = 0.0
        self.used = self.steps = self.totals = self.waiting_tokens = 0
        self.clocks = Clocks(recorder.gaps)
        self.drought = stuck.Drought()

    # ── what comes from outside ───────────────────────────────────────────────────────────────────

    def submit(self, request: Request, now: float) -> None:
        """A request arrives; it is seen by the next plan, or with async scheduling by the one after (R71)."""
        arrive(self, request, now)
        if self.step is None:
            self._plan_soon()
        elif self.repeat > 1 and not (self.batch.waiting and self.batch.policy.ordered):
            self._cut(now)

    def deliver(self, request: Request, now: float) -> None:
        """The KV of a request that this replica holds blocks for has come in (R84); seen like an arrival."""
        request.queued_s = now
        self.arriving.append(request)
        if self.step is None:
            self._poll(now)
        elif self.repeat > 1:
            self._cut(now)

    def release(self, request: Request, now: float) -> None:
        """The KV of a request that has ended here was read (R81): its blocks are free from the next step
        on.
        """
        self.released.append(request)
        if self.step is None:
            self._poll(now)

    def _poll(self, now: float) -> None:
        """An idle engine looks at its transfers every millisecond (R87), in a group at every step (R104)."""
        if self.group is not None:
            self._plan_soon()
        elif not self.due:
            at = next_poll_s(self.end_s, now)
            self.env.schedule(Alarm(self.env, self._on_poll), self.plan_last, at - now)

    def _on_poll(self, event: Event) -> None:
        if self.step is None and not self.due:
            self._on_plan(event)

    # ── what routers see ──────────────────────────────────────────────────────────────────────────

    @property
    def waiting(self) -> int:
        """Requests that are here but in no batch."""
        return self.outstanding - len(self.batch.running)

    @property
    def queued_tokens(self) -> int:
        """Tokens still to be computed before first tokens."""
        return queued_tokens(self)

    def kv_use(self, now: float) -> float:
        """Share of the KV blocks in use, 0 to 1; in a leap as if it were stepped."""
        cache = self.batch.cache
        used = cache.total - cache.free
        anchor = self.anchor
        if self.step is not None and self.repeat > 1 and anchor is not None:
            j = boundary(anchor, self.repeat, self.start_s, self.end_s, now)
            passed = j - (end_s(anchor, anchor.steps + j) > now)
            used += blocks_of(self.batch, passed)
        return used / cache.total

    def stop(self, now: float) -> None:
        """The run ends here, in the middle of things: record the steps that are done."""
        anchor = self.anchor
        if anchor is not None:
            if self.step is not None:
                done = boundary(anchor, self.repeat, self.start_s, self.end_s, now)
                runs = end_s(anchor, anchor.steps + done) > now
                advance(self.batch, done - 1)  # the plans until then, of a step that runs or ends just now
                anchor.steps += done - runs
            self._close_anchor()

    def inside(self) -> Iterator[Request]:
        """Requests that have not ended here."""
        return inside(self)

    def look(self) -> None:
        """Something may be there to plan for, and nothing runs."""
        self._plan_soon()

    def _plan_soon(self) -> None:
        if self.due:
            return
        if self.group is not None and self.group.running:
            self.group.cut(self.env.now)
            return
        self.due = True
        wait_s = 0.0 if self.group is None else self.group.wait_s(self.env.now)
        self.env.schedule(Alarm(self.env, self._on_plan), self.plan_last, wait_s)

    def _cut(self, now: float) -> None:
        """End the leap at the first boundary from now on; async: at the one after, since that step is
        fixed already.
        """
        if self.group is not None:
            self.group.cut(now)
            return
        anchor = self.anchor
        assert anchor is not None
        j = boundary(anchor, self.repeat, self.start_s, self.end_s, now)
        if self.batch.args.async_scheduling:
            j += 1
        if j < self.repeat:
            self.repeat = j
            self._wake(end_s(anchor, anchor.steps + j), now)

    def _wake(self, at: float, now: float) -> None:
        env = self.env
        self.end_s = at
        self.alarm = alarm = Alarm(env, self._on_finish)
        env.schedule(alarm, self.finish_first, at - now)

    # ── a step ends ───────────────────────────────────────────────────────────────────────────────

    def _on_finish(self, event: Event) -> None:
        if event is not self.alarm:
            return
        env, batch, step = self.env, self.batch, self.step
        assert step is not None
        now = env.now
        repeat = self.repeat
        if self.group is not None:
            self.group.over(now)
            if self.anchor is not None:
                self.clocks.stretching_s = stretch_s(self.anchor, repeat)
        self._count(step)
        index = batch.step - 1
        clocks = self.clocks
        if clocks.odd:
            clocks.odd_gaps(now - self.start_s, self._run_s(), now)
        if step.chunks or step.copied or self.group is not None:
            clocks.share(step, now - self.start_s)
        if step.finals:
            clocks.first_tokens(step, self.start_s, now)
        if batch.args.async_scheduling:
            self._plan_ahead(repeat, now)
        self.step = None
        free = batch.cache.free
        for request in complete(batch, index, step):
            self._end(request, now)
        if batch.cache.free > free:
            self.unseen = True
        if self.released:
            take_back(self)
        if env.peek() > now:
            self._on_plan(event)
        else:
            self._plan_soon()

    def _run_s(self) -> float:
        """When the run of steps began that the one which ends now belongs to."""
        return self.start_s if self.anchor is None else self.anchor.start_s

    def _count(self, step: Step) -> None:
        batch, repeat = self.batch, self.repeat
        if repeat > 1:
            advance(batch, repeat - 1)
        self.used = batch.cache.total - batch.cache.free
        if self.anchor is not None:
            self.anchor.steps += repeat
        self.steps += repeat
        if step.totals:
            self.totals += repeat

    def _plan_ahead(self, repeat: int, now: float) -> None:
        """The plan that the real engine made when the step that ends now started (the last one of a leap)."""
        seen_s = self.start_s
        if repeat > 1:
            assert self.anchor is not None
            seen_s = end_s(self.anchor, self.anchor.steps - 1)
            if self.arriving:
                take_arrivals(self, seen_s)
        self.next = self._planned(seen_s, now)

    def _end(self, request: Request, now: float) -> None:
        self.outstanding -= 1
        self.waiting_tokens -= request.counted
        self.unseen = True
        if request.counted == 0:
            self.clocks.stop(request)
        if request.since >= 0 and self.next is not None and request not in self.next.left_out:
            self.clocks.wasted += 1
        if self.watchers:
            tell(self)
        self.ended(self, request, now)

    # ── the next one is planned ───────────────────────────────────────────────────────────────────

    def _on_plan(self, event: Event) -> None:
        self.due = False
        now = self.env.now
        if self.released:
            take_back(self)
        if self.arriving:
            take_arrivals(self, now)
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
            self._start(step, now)

    def _planned(self, seen_s: float, now: float) -> Step:
        """Plan the next step from what was known at seen_s."""
        self.batch.now_s = seen_s
        step = self.plan(self.batch, self.exact)
        self.unseen = False
        if step.preempted or step.left_out:
            self.clocks.interrupted(step, self.batch, now)
        for request in step.resumed:
            count_waiting(self, request, 0)
            self.clocks.resumed(request, seen_s, now)
        if step.admitted or step.chunks or step.loads or step.preempted:
            admitted(self, step, seen_s, now)
        return step

    def _finish_empty(self, step: Step, now: float) -> None:
        """A step without work takes no time; what the one before it freed can be used by the next (R70)."""
        for request in complete(self.batch, step.index):
            self._end(request, now)

    def _idle(self, now: float) -> None:
        self._close_anchor()
        check_stuck(self, now)

    # ── and started ───────────────────────────────────────────────────────────────────────────────

    def _start(self, step: Step, now: float) -> None:
        self.step = step
        self.start_s = now
        self.clocks.start(step, self.batch, now)
        if self.group is not None:
            self.group.ready()
            return
        if step.chunks or step.copied:
            if self.anchor is not None:
                self._close_anchor()
            self.repeat = 1
            self._wake(now + self._mixed(step, now), now)
            return
        anchor = self.anchor
        if (
            anchor is None
            or anchor.decodes != step.decodes
            or step.context_sum > anchor.line.until_tokens
            or step.preempted
            or step.resumed
        ):
            anchor = self._new_anchor(step, self.cost.decode_line(step.decodes, step.context_sum), now)
        self.repeat = repeat = repeats(self.batch, step.index, anchor) if self._unchanging(step) else 1
        self._wake(end_s(anchor, anchor.steps + repeat), now)

    def _unchanging(self, step: Step) -> bool:
        """Whether the plan after this decode-only step is the same again, as far as queues and exceptions
        go.
        """
        batch = self.batch
        if not self.leaps or step.left_out or step.preempted or self.clocks.odd:
            return False
        if batch.prefilling or batch.stale or batch.held_back:
            return False
        if batch.ready and not batch.full():
            return False
        return not batch.waiting or (not self.unseen and batch.blocked())

    def _new_anchor(self, step: Step, line: Line, now: float) -> Anchor:
        if self.anchor is not None:
            self._close_anchor()
        self.drought.steps = self.drought.tokens = 0
        used = self.batch.cache.total - self.batch.cache.free
        self.anchor = anchor = Anchor(now, step, line, used)
        return anchor

    def _mixed(self, step: Step, now: float) -> float:
        """Price and record a step with prefill in it; returns its length."""
        work = Work(step.decodes, step.context_sum, tuple(step.chunks), step.decodes + len(step.finals))
        price = self.cost.price(work)
        length = on_grid(price.seconds + step.copied * self.copy_s)
        self._record(step, work, price, length, now)
        return length

    # ── in step with other ranks ──────────────────────────────────────────────────────────────────

    def run(self, step: Step, work: Work, price: Price, length: float) -> None:
        """The planned step starts, and lasts as long as its group says."""
        if self.anchor is not None:
            self._close_anchor()
        self.repeat = 1
        self._record(step, work, price, length, self.start_s)
        self._wake(self.start_s + length, self.start_s)

    @property
    def changed(self) -> bool:
        """Whether the planned decode-only step does not go on from the one before."""
        anchor, step = self.anchor, self.step
        if anchor is None or step is None:
            return True
        return anchor.decodes != step.decodes or bool(step.preempted or step.resumed)

    def keep_pace(self, step: Step, line: Line, pace: Pace) -> None:
        """From this decode-only step on, whose own line it is, steps are as long as its group's."""
        anchor = self._new_anchor(
            step, line._replace(base_s=pace.base_s, per_token_s=pace.per_token_s), self.start_s
        )
        anchor.pace_decodes, anchor.pace_context = pace.decodes, pace.context_sum
        own = line.base_s + line.per_token_s * step.context_sum
        first = pace.base_s + pace.per_token_s * pace.context_sum - own
        more = pace.per_token_s * pace.decodes - line.per_token_s * step.decodes
        if first >= 0 and first + more * (pace.steps - 1) >= 0:
            anchor.slower_s = (first, more)

    def unchanging(self) -> int:
        """How often the planned decode-only step comes before anything changes here."""
        step, anchor = self.step, self.anchor
        assert step is not None and anchor is not None
        return repeats(self.batch, step.index, anchor) if self._unchanging(step) else 1

    def leap(self, repeat: int, now: float) -> None:
        """The decode-only step comes so often."""
        assert self.anchor is not None
        self.repeat = repeat
        self._wake(end_s(self.anchor, self.anchor.steps + repeat), now)

    def _record(self, step: Step, work: Work, price: Price, length: float, now: float) -> None:
        self.drought.note(self.name, self.batch, step)
        clocks = self.clocks
        clocks.stretching_s = length if step.alone and clocks.pauses.groups else 0.0
        if work.decodes:
            line = self.cost.decode_line(work.decodes, work.context_sum)
            alone = on_grid(line.base_s + line.per_token_s * work.context_sum)
            clocks.stretching_s = max(length - alone, 0.0)
        if self.computing is not None:
            self.computing(step, length, now)
        used = self.batch.cache.total - self.batch.cache.free
        self.recorder.step_runs.append(mixed_row(self.index, now, length, step, work, price, used))

    def _close_anchor(self) -> None:
        """Record the run of decode-only steps that is over."""
        anchor, self.anchor = self.anchor, None
        if anchor is not None and anchor.steps:
            if self.group is not None:
                self.recorder.paced(anchor.pace_decodes, anchor.pace_context)
            self.recorder.step_runs.append(anchor_row(self.index, anchor, self.used))
