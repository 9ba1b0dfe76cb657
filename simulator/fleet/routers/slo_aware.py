"""The replica that would keep most slack to the TTFT objective, by its own recent pace; among those in
time the fullest.

Expected TTFT is the prompt tokens queued, the request's own among them, over the pace at which the
replica has computed prompt tokens lately. Replicas within the objective are filled up first (fewest idle
ones are woken), the rest is sent where it will be least late.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.engine.request import Request
from simulator.fleet.pool import Pool, Router


@dataclass(frozen=True, slots=True)
class Options:
    """ttft: the objective in seconds; pace: prompt tokens a second of a replica; margin: share of the
    objective to use.
    """

    ttft: float = 1.0
    pace: float = 20_000.0
    margin: float = 0.8


def make(pool: Pool, options: Options, rng: np.random.Generator) -> Router:
    room = options.ttft * options.margin * options.pace

    def choose(request: Request, now: float) -> int:
        best, most = 0, -float("inf")
        for index in range(len(pool)):
            queued = pool.queued_tokens(index, now) + request.prompt
            rank = queued if queued <= room else -queued
            if rank > most:
                best, most = index, rank
        return best

    return Router(choose)
