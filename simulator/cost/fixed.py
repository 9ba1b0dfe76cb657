"""A step that always takes the same time: what makes a replica the queue of a textbook."""

from __future__ import annotations

from typing import Any

from simulator.cost.work import Line, OpCost, Price, Work


class FixedCost:
    """A CostModel of `step_s` seconds a step, whatever is in it; FLOPs and bytes are 0."""

    __slots__ = ("_line", "_price", "step_s")

    def __init__(self, step_s: float) -> None:
        self.step_s = step_s
        self._price = Price(step_s, 0.0, 0.0)
        self._line = Line(step_s, 0.0, float("inf"), 0.0, 0.0, 0.0, 0.0)

    def price(self, work: Work) -> Price:
        return self._price

    def decode_line(self, decodes: int, context_sum: int) -> Line:
        return self._line

    def explain(self, work: Work) -> list[OpCost]:
        return [OpCost("step", 0.0, 0.0, self.step_s, "overhead", "step_s of the scenario")]

    @property
    def provenance(self) -> dict[str, Any]:
        return {"kind": "assumed", "source": "step_s of the scenario", "step_s": self.step_s}
