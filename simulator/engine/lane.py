"""A lane of a pipeline: those who decode together, in one of the batches that are in flight (R74)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.engine.request import Request
    from simulator.engine.step import Step

TOTALS = ("changes", "context_sum", "decodes", "due", "frees", "leaves", "newest_decode", "step")
"""What of a Batch is a lane's own; `step` counts the lane's own steps."""
FIRST_STEP = 1 << 40
"""High enough that who moves to a lane of few steps began to decode there at a step that is not negative."""


class Lane:
    """TOTALS: as in Batch, while it is another lane's turn. done: its last step that is complete; last: the
    last one that was planned with work, the pipeline's `number`-th; end_s: when that one ends; seen_s: when
    the last one with work did whose outputs were seen.

    stretch_s: what others have added to its decodes so far; wasted: rows of its next step that had ended
    before (R72); joining: those who decode here from its next step on, moved from another lane.
    """

    __slots__ = (*TOTALS, "done", "end_s", "joining", "last", "number", "seen_s", "stretch_s", "wasted")

    def __init__(self, block_size: int) -> None:
        self.step = FIRST_STEP
        self.decodes = self.context_sum = 0
        self.due = [0] * block_size
        self.leaves: dict[int, list[Request]] = {}
        self.frees: dict[int, list[Request]] = {}
        self.changes: list[int] = []
        self.newest_decode = -1
        self.done = FIRST_STEP - 1
        self.number = -1
        self.last: Step | None = None
        self.end_s = self.seen_s = self.stretch_s = 0.0
        self.wasted = 0
        self.joining: list[Request] = []
