"""A tandem line: steps on their way through the stages of a pipeline, one behind the other."""

from __future__ import annotations

from simulator.cost.pipeline import Passage
from simulator.cost.work import Price, Work
from simulator.engine.lane import Lane
from simulator.engine.lane_clocks import Returning
from simulator.engine.step import Step


class Tandem:
    """free_s: when each stage is free for the next step."""

    __slots__ = ("free_s",)

    def __init__(self, stages: int) -> None:
        self.free_s = [0.0] * stages

    def enter(self, passage: Passage, ready_s: float) -> list[tuple[float, float]]:
        """When the next step, which may enter from ready_s on, takes and leaves each stage.

        A stage takes it when the one before has left. Its kernels begin when its CPU has done its part and
        the input has come; before that it waits for no input, so the CPU works ahead.
        """
        host, free = passage.host_s, self.free_s
        found = []
        input_s = ready_s + host
        for stage, length in enumerate(passage.stages_s):
            start = max(free[stage], input_s - host)
            free[stage] = input_s = start + host + length
            found.append((start, input_s))
        return found


class Flight:
    """A step on its way: when it enters the pipeline, holds each stage (from, to) and leaves the last one.

    moves_s: from when on it is the one that the pipeline's end waits for; own_s: what its decodes alone would
    take; used: KV blocks in use; returning: decodes that come from another lane. Without work it only keeps
    the order.
    """

    __slots__ = (
        "end_s", "lane", "moves_s", "own_s", "price", "returning", "stages", "start_s", "step", "used",
        "work",
    )  # fmt: skip

    def __init__(self, lane: Lane, step: Step, end_s: float) -> None:
        self.lane = lane
        self.step = step
        self.start_s = self.end_s = self.moves_s = end_s
        self.own_s = 0.0
        self.used = 0
        self.stages: list[tuple[float, float]] = []
        self.returning: list[Returning] = []
        self.work = Work(0, 0, (), 0)
        self.price = Price(0.0, 0.0, 0.0)
