"""The most urgent first, but waiting makes urgent: an example of a policy whose order changes with time."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.engine.batch import Batch
from simulator.engine.policies import Policy, Rank, Setting, last
from simulator.engine.request import Request


@dataclass(frozen=True, slots=True)
class Options:
    """step_s: seconds of waiting that make up for one step of priority."""

    step_s: float = 1.0


def make(options: Options, setting: Setting) -> Policy:
    def rank(request: Request, batch: Batch) -> Rank:
        steps = (batch.now_s - request.arrival_s) // options.step_s
        return (request.priority - steps,)

    return Policy(None, last, False, rank, group=lambda request: request.priority)
