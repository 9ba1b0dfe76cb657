"""A replica at random, each with the same chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.engine.request import Request
from simulator.fleet.draws import uniform
from simulator.fleet.pool import Pool, Router


@dataclass(frozen=True, slots=True)
class Options:
    """None."""


def looks(options: Options) -> bool:
    """It never looks at a load."""
    return False


def make(pool: Pool, options: Options, rng: np.random.Generator) -> Router:
    draw = uniform(rng, len(pool))

    def choose(request: Request, now: float) -> int:
        return draw()

    return Router(choose)
