"""Static batching: a batch is formed when the one before has ended, all of it (T1)."""

from __future__ import annotations

from simulator.engine.batch import Batch
from simulator.engine.compose import begin, conclude, decode_all
from simulator.engine.planners.orca import admit
from simulator.engine.step import Step


def plan(batch: Batch, exact: bool = False) -> Step:
    """The whole batch decodes, or a new one starts with all its prompts."""
    begin(batch)
    step = Step(batch.step)
    if batch.running:
        decode_all(batch, step, exact)
    else:
        admit(batch, step)
    return conclude(batch, step)
