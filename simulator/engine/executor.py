"""What runs on a replica, a step or a run of decode-only steps as one event: how long, and what is recorded.

There is one live event, the end of what runs; one that was cut stays in the heap and is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from simpy import Environment
from simpy.events import Event, EventPriority

from simulator.cost.work import CostModel, Line, Price, Work, decodes_alone_s
from simulator.engine.batch import Batch
from simulator.engine.clocks import Clocks
from simulator.engine.events import FINISH, Alarm
from simulator.engine.leap import Anchor, advance, blocks_of, boundary, end_s, repeats, stretch_s
from simulator.engine.rows import anchor_row, mixed_row
from simulator.engine.step import Step
from simulator.engine.stuck import Drought
from simulator.results.record import Recorder
from simulator.units import on_grid


class Peers(Protocol):
    """The ranks that step together, as one of them sees them (lock_step.Group). running: between the start
    and the end of a step.
    """

    running: bool

    def wait_s(self, now: float) -> float: ...

    def ready(self) -> None: ...

    def over(self, now: float) -> None: ...

    def cut(self, now: float) -> None: ...


class Executor:
    """step: what runs (the first of `repeat` equal ones) from start_s to end_s, None when idle; anchor: the
    run of decode-only steps that `step` belongs to.

    alarm: the live event; computing(step, length, now): is told of each step with prompts in it when it
    starts, if anybody wants to know; copy_s: seconds that a block takes to the host; group: of a rank that
    steps together with others; used: KV blocks in use at the end of the last step.
    """

    __slots__ = (
        "alarm", "anchor", "batch", "clocks", "computing", "copy_s", "cost", "drought", "end_s", "env",
        "finish_first", "finished", "group", "index", "leaps", "name", "recorder", "repeat", "start_s",
        "step", "used",
    )  # fmt: skip

    def __init__(
        self,
        env: Environment,
        index: int,
        name: str,
        batch: Batch,
        cost: CostModel,
        recorder: Recorder,
        finished: Callable[[Event], None],
        leaps: bool,
    ) -> None:
        """finished(event): is called at the end of what runs; the others as in Replica."""
        self.env = env
        self.index = index
        self.name = name
        self.batch = batch
        self.cost = cost
        self.recorder = recorder
        self.finished = finished
        self.leaps = leaps
        self.finish_first = EventPriority(FINISH | index)
        self.clocks = Clocks(recorder.gaps)
        self.drought = Drought()
        self.computing: Callable[[Step, float, float], None] | None = None
        self.group: Peers | None = None
        self.step: Step | None = None
        self.alarm: Event | None = None
        self.anchor: Anchor | None = None
        self.repeat = 1
        self.start_s = self.end_s = self.copy_s = 0.0
        self.used = 0

    # ── a step starts ─────────────────────────────────────────────────────────────────────────────

    def start(self, step: Step, now: float, unseen: bool) -> None:
        """unseen: since it was planned something happened that the next plan may use."""
        self.step = step
        self.start_s = now
        self.clocks.start(step, self.batch, now)
        if self.group is not None:
            self.group.ready()
            return
        if step.chunks or step.copied:
            work = step.work()
            price = self.cost.price(work)
            self.once(step, work, price, on_grid(price.seconds + step.copied * self.copy_s))
            return
        anchor = self.anchor
        if (
            anchor is None
            or anchor.decodes != step.decodes
            or step.context_sum > anchor.line.until_tokens
            or step.preempted
            or step.resumed
        ):
            anchor = self.begin(step, self.cost.decode_line(step.decodes, step.context_sum))
        self.repeat = repeat = repeats(self.batch, step.index, anchor) if self.unchanging(step, unseen) else 1
        self._wake(end_s(anchor, anchor.steps + repeat), now)

    def begin(self, step: Step, line: Line) -> Anchor:
        """From this decode-only step on steps lie on that line."""
        self.close()
        self.drought.steps = self.drought.tokens = 0
        self.anchor = anchor = Anchor(self.start_s, step, line, self._in_use())
        return anchor

    def unchanging(self, step: Step, unseen: bool) -> bool:
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
        return not batch.waiting or (not unseen and batch.blocked())

    def leap(self, repeat: int, now: float) -> None:
        """The decode-only step comes so often."""
        anchor = self.anchor
        assert anchor is not None
        self.repeat = repeat
        self._wake(end_s(anchor, anchor.steps + repeat), now)

    def once(self, step: Step, work: Work, price: Price, length: float) -> None:
        """A step with prompts in it, or with copies, starts and lasts so long."""
        self.close()
        self.repeat = 1
        self._record(step, work, price, length)
        self._wake(self.start_s + length, self.start_s)

    def _wake(self, at: float, now: float) -> None:
        env = self.env
        self.end_s = at
        self.alarm = alarm = Alarm(env, self.finished)
        env.schedule(alarm, self.finish_first, at - now)

    # ── in the middle of it ───────────────────────────────────────────────────────────────────────

    def cut(self, now: float) -> None:
        """End the leap at the first boundary from now on; async: at the one after, since that step is
        fixed already.
        """
        if self.group is not None:
            self.group.cut(now)
            return
        j = self.boundary(now) + self.batch.args.async_scheduling
        if j < self.repeat:
            self.leap(j, now)

    def boundary(self, now: float) -> int:
        """The first of the steps of the leap that ends at or after `now`: 1 … repeat."""
        assert self.anchor is not None
        return boundary(self.anchor, self.repeat, self.start_s, self.end_s, now)

    def blocks_taken(self, now: float) -> int:
        """KV blocks that a leap would have taken by now if it were stepped, beside those in use."""
        anchor = self.anchor
        if self.step is None or self.repeat == 1 or anchor is None:
            return 0
        j = self.boundary(now)
        return blocks_of(self.batch, j - (end_s(anchor, anchor.steps + j) > now))

    def stop(self, now: float) -> None:
        """The run ends here: record the steps that are done."""
        anchor = self.anchor
        if anchor is not None and self.step is not None:
            done = self.boundary(now)
            runs = end_s(anchor, anchor.steps + done) > now
            advance(self.batch, done - 1)  # the plans until then, of a step that runs or ends just now
            anchor.steps += done - runs
        self.close()

    # ── it ends ───────────────────────────────────────────────────────────────────────────────────

    def over(self, step: Step, now: float) -> None:
        """The batch and the clocks after what ran."""
        batch, repeat, anchor, clocks = self.batch, self.repeat, self.anchor, self.clocks
        if self.group is not None:
            self.group.over(now)
            if anchor is not None:
                clocks.stretching_s = stretch_s(anchor, repeat)
        if repeat > 1:
            advance(batch, repeat - 1)
        self.used = batch.cache.total - batch.cache.free
        if anchor is not None:
            anchor.steps += repeat
        if clocks.odd:
            clocks.odd_gaps(now - self.start_s, self.start_s if anchor is None else anchor.start_s, now)
        if step.chunks or step.copied or self.group is not None:
            clocks.share(step, now - self.start_s)
        if step.finals:
            clocks.first_tokens(step, self.start_s, now)

    def last_start_s(self) -> float:
        """When the last step of the leap that is over started."""
        assert self.anchor is not None
        return end_s(self.anchor, self.anchor.steps - 1)

    # ── what is recorded ──────────────────────────────────────────────────────────────────────────

    def _record(self, step: Step, work: Work, price: Price, length: float) -> None:
        self.drought.note(self.name, self.batch, step)
        clocks = self.clocks
        clocks.stretching_s = length if step.alone and clocks.pauses.groups else 0.0
        if work.decodes:
            clocks.stretching_s = max(length - decodes_alone_s(self.cost, work), 0.0)
        if self.computing is not None:
            self.computing(step, length, self.start_s)
        row = mixed_row(self.index, self.start_s, length, step, work, price, self._in_use())
        self.recorder.step_runs.append(row)

    def close(self) -> None:
        """Record the run of decode-only steps that is over, if there is one."""
        anchor, self.anchor = self.anchor, None
        if anchor is not None and anchor.steps:
            if self.group is not None:
                self.recorder.paced(anchor.pace_decodes, anchor.pace_context)
            self.recorder.step_runs.append(anchor_row(self.index, anchor, self.used))

    def _in_use(self) -> int:
        cache = self.batch.cache
        return cache.total - cache.free
