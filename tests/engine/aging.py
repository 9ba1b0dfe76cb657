"""The most urgent first, but who has waited too long goes before all: an order that changes with time."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.engine.batch import Batch
from simulator.engine.policies import Policy, Rank, Setting, last
from simulator.engine.request import Request


@dataclass(frozen=True, slots=True)
class Options:
    """patience_s: seconds of waiting after which a request's priority no longer counts."""

    patience_s: float = 1.0


def make(options: Options, setting: Setting) -> Policy:
    def rank(request: Request, batch: Batch) -> Rank:
        patient = batch.now_s - request.arrival_s < options.patience_s
        return (patient, request.priority if patient else request.arrival_s)

    return Policy(None, last, False, rank, group=lambda request: request.priority)
