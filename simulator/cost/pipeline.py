"""A step through a pipeline, stage by stage: which part of its time is spent where."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import NamedTuple

from simulator.cost import ops
from simulator.cost.fixed import FixedCost
from simulator.cost.roofline import Roofline
from simulator.cost.work import CostModel, Line, OpCost, Price, Work
from simulator.units import on_grid


class Passage(NamedTuple):
    """Seconds of one step, multiples of 2⁻²⁸ s. stages_s: each stage's kernels and its hand-over to the next.

    host_s: of the CPU before the kernels, on every stage; that of the later stages is over when their input
    comes, so a step alone takes host_s + sum(stages_s), which is its price.
    """

    host_s: float
    stages_s: tuple[float, ...]

    @property
    def cycle_s(self) -> float:
        """From one such step to the next when the pipeline is full: what the slowest stage takes."""
        return self.host_s + max(self.stages_s)


Split = Callable[[Work, float], Passage]


def layers_of(layers: int, stages: int) -> list[int]:
    """Layers of each stage: equal, what is left over goes to those before the last, the nearest first.

    Source: vLLM distributed/utils.py get_pp_indices, the same from 0.8.3 to 0.33.
    """
    each, rest = divmod(layers, stages)
    return [each + (1 <= stages - 1 - stage <= rest) for stage in range(stages)]


def split(cost: CostModel, stages: int) -> Split:
    """How a cost model's step is spread over `stages`: (work, seconds of the step) → Passage.

    The layers' time goes by their number, the output head is the last stage's, and all but the last hand
    over. Steps of a fixed length are cut evenly.
    """
    if isinstance(cost, Roofline):
        return _by_layers(cost, stages)
    assert isinstance(cost, FixedCost), f"a pipeline of {type(cost).__name__}"
    return lambda work, seconds: Passage(0.0, _cut([seconds * (s + 1) / stages for s in range(stages)]))


def _by_layers(cost: Roofline, stages: int) -> Split:
    model, tables = cost.plan.model, cost.tokens
    count = model.num_hidden_layers
    shares = [done / count for done in accumulate(layers_of(count, stages))]
    token_bytes = model.hidden_size * ops.ACTIVATION

    def passage(work: Work, seconds: float) -> Passage:
        host = on_grid(cost.overhead_s(work.decodes + len(work.chunks)))
        tokens = work.decodes + sum(size for size, _ in work.chunks)
        hand_over = cost.rates.seconds(ops.collective("stage_hand_over", "send", tokens * token_bytes))
        head = (tables.by_samples.get(work.samples) or tables.fill_samples(work.samples))[0]
        kernels = on_grid(seconds) - host
        layers = kernels - head - hand_over * (stages - 1)
        ends = [share * layers + hand_over * (stage + 1) for stage, share in enumerate(shares[:-1])]
        return Passage(host, _cut([*ends, kernels]))

    return passage


def _cut(ends: list[float]) -> tuple[float, ...]:
    """Lengths between those ends, on the time grid: their sum is the last end, exactly."""
    on = [on_grid(end) for end in ends]
    return tuple(after - before for before, after in zip([0.0, *on], on))


class Cycle:
    """A CostModel of a pipeline that is always full: a step's seconds are those until the next may follow."""

    __slots__ = ("cost", "split")

    def __init__(self, cost: CostModel, stages: int) -> None:
        self.cost = cost
        self.split = split(cost, stages)

    def price(self, work: Work) -> Price:
        price = self.cost.price(work)
        return price._replace(seconds=self.split(work, price.seconds).cycle_s)

    def decode_line(self, decodes: int, context_sum: int) -> Line:
        """The line of a step alone: a full pipeline's is not needed."""
        return self.cost.decode_line(decodes, context_sum)

    def explain(self, work: Work) -> list[OpCost]:
        """Of a step alone, through all stages."""
        return self.cost.explain(work)
