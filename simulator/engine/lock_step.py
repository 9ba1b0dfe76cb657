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

from simulator.cost.lock_step import DUMMY, Together
from simulator.engine.events import START, Alarm
from simulator.engine.replica import Replica
from simulator.units import GRID_S, on_grid


class Group:
    """The ranks of one replica. running: between the start and the end of a step.

    steps: since the wave began, as of end_s, when the last step with work in it ended; interval: steps from
    one question whether anybody has work to the next; dummy_s: length of a step of dummy batches.
    """

    __slots__ = ("cost", "dummy_s", "end_s", "env", "interval", "launching", "ranks", "running", "steps")

    def __init__(self, env: Environment, ranks: Sequence[Replica], cost: Together, interval: int) -> None:
        self.env = env
        self.ranks = ranks
        self.cost = cost
        self.interval = interval
        self.dummy_s = on_grid(cost.price([DUMMY] * len(ranks))[0].seconds)
        self.running = self.launching = False
        self.end_s = 0.0
        self.steps = 0
        for rank in ranks:
            rank.group = self

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
        for rank in self.ranks:
            if rank.step is None and (rank.arriving or rank.released):
                rank.look()

    def _launch(self, event: Event) -> None:
        self.launching = False
        now = self.env.now
        self.steps = 1 + (0 if self._paused(now) else self.steps + self._dummies(now))
        works = [DUMMY if rank.step is None else rank.step.work() for rank in self.ranks]
        prices = self.cost.price(works)
        length = on_grid(prices[0].seconds)
        self.running = True
        for rank, work, price in zip(self.ranks, works, prices):
            if rank.step is not None:
                rank.run(rank.step, work, price, length)

    def _paused(self, now: float) -> bool:
        """Whether they have asked one another since the last step with work in it, and nobody had any."""
        left = -self.steps % self.interval
        return now >= self.end_s + left * self.dummy_s and not any(rank.batch.holding for rank in self.ranks)

    def _dummies(self, now: float) -> int:
        """Dummy batches that all ranks have run since the last step with work in it."""
        return _units(now - self.end_s) // _units(self.dummy_s)


def _units(seconds: float) -> int:
    return round(seconds / GRID_S)
