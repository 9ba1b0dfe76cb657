"""Data-parallel ranks of a mixture of experts: forward passes meet in every layer, so they step together.

Each rank plans for itself (R101). The group prices the step when all have planned, and all ranks' steps end
at once, those of the slowest (R103). A rank without requests runs a dummy batch as long as any has work
(R104), and when none has, all do until they next ask one another (R105): an arrival in between waits for the
dummy batch to end, which costs no event here, since when they end is known.
"""

from __future__ import annotations

from collections.abc import Sequence

from simpy import Environment
from simpy.events import Event, EventPriority

from simulator.cost.lock_step import DUMMY, Pace, Together
from simulator.cost.work import Line, Work
from simulator.engine.events import START, Alarm
from simulator.engine.executor import Executor
from simulator.engine.leap import repeats
from simulator.engine.replica import Replica
from simulator.engine.step import Step
from simulator.units import GRID_S, on_grid


class Group:
    """The ranks of one replica. running: between the start and the end of a step.

    steps: since the wave began, as of end_s, when the last step with work in it ended; interval: steps from
    one question whether anybody has work to the next; dummy_s: length of a step of dummy batches; busy: the
    ranks that have requests in the step; pace: of the decode-only steps that it is one of.
    """

    __slots__ = (
        "busy", "cost", "dummy_s", "end_s", "env", "interval", "launching", "pace", "ranks", "running",
        "steps",
    )  # fmt: skip

    def __init__(self, env: Environment, ranks: Sequence[Replica], cost: Together, interval: int) -> None:
        self.env = env
        self.ranks = ranks
        self.cost = cost
        self.interval = interval
        self.dummy_s = on_grid(cost.price([DUMMY] * len(ranks))[0].seconds)
        self.running = self.launching = False
        self.end_s = 0.0
        self.steps = 0
        self.busy: list[Replica] = []
        self.pace: Pace | None = None
        for rank in ranks:
            rank.executor.group = self

    def wait_s(self, now: float) -> float:
        """Until when a rank without work can plan: to the end of the dummy batch that it runs, if any."""
        if not self.steps or self._paused(now):
            return 0.0
        return -_units(now - self.end_s) % _units(self.dummy_s) * GRID_S

    def ready(self) -> None:
        """A rank has planned a step: it starts when all have planned."""
        if not self.launching:
            self.launching = True
            self.env.schedule(Alarm(self.env, self._launch), EventPriority(START | self.ranks[0].index))

    def over(self, now: float) -> None:
        """The step ends, at the same instant on all ranks; those without one may have requests by now."""
        if not self.running:
            return
        self.running = False
        self.end_s = now
        self.steps += self.busy[0].executor.repeat
        for rank in self.ranks:
            if rank.executor.step is None and (rank.arriving or rank.released):
                rank.look()

    def cut(self, now: float) -> None:
        """A leap ends at the first boundary from now on: a rank has something to plan for then."""
        first = self.busy[0].executor
        if first.repeat == 1 or first.anchor is None:
            return
        j = first.boundary(now)
        if j < first.repeat:
            for rank in self.busy:
                rank.executor.leap(j, now)

    def _launch(self, event: Event) -> None:
        self.launching = False
        now = self.env.now
        self.steps = 0 if self._paused(now) else self.steps + self._dummies(now)
        before, self.busy = self.busy, [rank for rank in self.ranks if rank.executor.step is not None]
        steps = [rank.executor.step for rank in self.ranks]
        works = [DUMMY if step is None else step.work() for step in steps]
        self.running = True
        if any(work.chunks for work in works):
            self.pace = None
            self._once(works)
            return
        if before != self.busy or self._over() or any(_changed(rank.executor) for rank in self.busy):
            self._set_pace(works)
        repeat = self._repeats()
        for rank in self.busy:
            rank.executor.leap(repeat, now)

    def _once(self, works: list[Work]) -> None:
        """A step with a prefill on some rank."""
        prices = self.cost.price(works)
        length = on_grid(prices[0].seconds)
        for rank, work, price in zip(self.ranks, works, prices):
            step = rank.executor.step
            if step is not None:
                rank.executor.once(step, work, price, length)

    def _over(self) -> bool:
        """Whether the pace has to be found anew."""
        anchor = self.busy[0].executor.anchor
        return self.pace is None or anchor is None or anchor.steps >= self.pace.steps

    def _set_pace(self, works: list[Work]) -> None:
        """From now on only decodes: the slowest rank's line is everybody's."""
        self.pace, lines = self.cost.pace(works)
        for rank, line in zip(self.ranks, lines):
            if rank.executor.step is not None:
                _keep_pace(rank.executor, rank.executor.step, line, self.pace)

    def _repeats(self) -> int:
        """How often the step comes before anything changes on any rank."""
        anchor = self.busy[0].executor.anchor
        assert anchor is not None and self.pace is not None
        if any(rank.arriving or rank.released for rank in self.ranks):
            return 1
        return min(self.pace.steps - anchor.steps, *map(_unchanging, self.busy))

    def _paused(self, now: float) -> bool:
        """Whether they have asked one another since the last step with work in it, and nobody had any."""
        left = -self.steps % self.interval
        return now >= self.end_s + left * self.dummy_s and not any(rank.batch.holding for rank in self.ranks)

    def _dummies(self, now: float) -> int:
        """Dummy batches that all ranks have run since the last step with work in it."""
        return _units(now - self.end_s) // _units(self.dummy_s)


def _units(seconds: float) -> int:
    return round(seconds / GRID_S)


def _changed(executor: Executor) -> bool:
    """Whether what a rank has planned does not go on from its steps before."""
    step, anchor = executor.step, executor.anchor
    if step is None or anchor is None:
        return True
    return anchor.decodes != step.decodes or bool(step.preempted or step.resumed)


def _unchanging(rank: Replica) -> int:
    """How often the decode-only step that it has planned comes before anything changes on this rank."""
    step, anchor = rank.executor.step, rank.executor.anchor
    assert step is not None and anchor is not None
    return repeats(rank.batch, step.index, anchor) if rank.executor.unchanging(step, rank.unseen) else 1


def _keep_pace(executor: Executor, step: Step, line: Line, pace: Pace) -> None:
    """From this decode-only step on, whose own line it is, a rank's steps are as long as its group's."""
    anchor = executor.begin(step, line._replace(base_s=pace.base_s, per_token_s=pace.per_token_s))
    anchor.pace_decodes, anchor.pace_context = pace.decodes, pace.context_sum
    own = line.base_s + line.per_token_s * step.context_sum
    first = pace.base_s + pace.per_token_s * pace.context_sum - own
    more = pace.per_token_s * pace.decodes - line.per_token_s * step.decodes
    if first >= 0 and first + more * (pace.steps - 1) >= 0:
        anchor.slower_s = (first, more)
