"""Leaps: a run of decode-only steps in which nothing is decided, as one event.

Stepping and leaping both take the end of a step from `end_s` and the same anchor: that is why they agree
to the bit.
"""

from __future__ import annotations

from heapq import heappop

from simulator.cost.work import Line
from simulator.engine.batch import Batch
from simulator.engine.step import Step
from simulator.units import on_grid


class Anchor:
    """Consecutive decode-only steps of one batch: the first starts at start_s with context_sum keys;
    `steps` done.

    pace_decodes, pace_context: of the batch whose step the line is of, which is another's where ranks keep
    step. slower_s: by how much a step is longer than this batch's own would be, and by how much more that is
    from step to step.
    """

    __slots__ = (
        "admitted", "context_sum", "decodes", "line", "pace_context", "pace_decodes", "preempted", "slower_s",
        "start_s", "steps", "used_start",
    )  # fmt: skip

    def __init__(self, start_s: float, step: Step, line: Line, used_start: int) -> None:
        """step: the first of them."""
        self.start_s = start_s
        self.decodes = self.pace_decodes = step.decodes
        self.context_sum = self.pace_context = step.context_sum
        self.line = line
        self.used_start = used_start
        self.admitted = len(step.admitted)
        self.preempted = len(step.preempted)
        self.slower_s = (0.0, 0.0)
        self.steps = 0


def end_s(anchor: Anchor, j: int) -> float:
    """When the j-th decode step after the anchor ends."""
    tokens = j * anchor.pace_context + anchor.pace_decodes * (j * (j - 1) // 2)
    line = anchor.line
    return anchor.start_s + on_grid(j * line.base_s + line.per_token_s * tokens)


def stretch_s(anchor: Anchor, steps: int) -> float:
    """What the next `steps` steps take longer than this batch's own would."""
    first, more = anchor.slower_s
    done, last = anchor.steps, anchor.steps + steps
    before, after = (on_grid(j * first + more * (j * (j - 1) // 2)) for j in (done, last))
    return after - before


def repeats(batch: Batch, index: int, anchor: Anchor) -> int:
    """How often the decode-only step `index`, just planned, comes before anything changes: at least 1.

    Bounds: the next end of a request, blocks running short, the end of the cost model's line.
    """
    changes = batch.changes
    while changes and changes[0] <= index:
        heappop(changes)
    if not changes:
        return 1
    decodes = anchor.decodes
    steps = changes[0] - index
    until = (anchor.line.until_tokens - anchor.context_sum) // decodes - anchor.steps + 1
    if until < steps:
        steps = max(int(until), 1)
    block = batch.args.block_size
    room = batch.cache.free - batch.margin
    if decodes * ((steps + block - 2) // block) > room:
        steps = min(steps, 1 + _steps_of_blocks(batch, room, decodes))
    return steps


def _steps_of_blocks(batch: Batch, free: int, decodes: int) -> int:
    """The steps from batch.step on whose blocks are free now; none when less than nothing is."""
    if free < 0:
        return 0
    due, block = batch.due, batch.args.block_size
    cycles, left = divmod(free, decodes)
    steps = cycles * block
    while True:
        left -= due[(batch.step + steps) % block]
        if left < 0:
            return steps
        steps += 1


def blocks_of(batch: Batch, steps: int) -> int:
    """KV blocks that `steps` further decode-only plans take."""
    due, block = batch.due, batch.args.block_size
    cycles, rest = divmod(steps, block)
    blocks = cycles * batch.decodes
    if rest:
        first = batch.step % block
        blocks += sum(due[first : first + rest]) + sum(due[: max(first + rest - block, 0)])
    return blocks


def advance(batch: Batch, steps: int) -> None:
    """What `steps` further decode-only plans would have done to the batch."""
    blocks = blocks_of(batch, steps)
    if blocks:
        batch.cache.take(blocks)
    batch.step += steps
    batch.executed += steps
    batch.context_sum += steps * batch.decodes


def boundary(anchor: Anchor, repeat: int, start: float, end: float, now: float) -> int:
    """Of the next `repeat` steps, which last from start to end, the first that ends at or after `now`: 1
    … repeat.
    """
    done = anchor.steps
    j = min(max(int((now - start) / (end - start) * repeat), 1), repeat)
    while j > 1 and end_s(anchor, done + j - 1) >= now:
        j -= 1
    while j < repeat and end_s(anchor, done + j) < now:
        j += 1
    return j
