"""Two random replicas, the one with fewer requests waiting or running (Mitzenmacher 2001)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.engine.request import Request
from simulator.fleet.draws import uniform
from simulator.fleet.pool import Pool, Router


@dataclass(frozen=True, slots=True)
class Options:
    """None."""


def make(pool: Pool, options: Options, rng: np.random.Generator) -> Router:
    size = len(pool)
    draw, draw_other = uniform(rng, size), uniform(rng, max(size - 1, 1))

    def choose(request: Request, now: float) -> int:
        if size == 1:
            return 0
        first, other = draw(), draw_other()
        second = other + (other >= first)
        return first if pool.outstanding(first, now) <= pool.outstanding(second, now) else second

    return Router(choose)
