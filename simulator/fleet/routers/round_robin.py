"""Each replica in turn, whatever its load."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle

import numpy as np

from simulator.engine.request import Request
from simulator.fleet.pool import Pool, Router


@dataclass(frozen=True, slots=True)
class Options:
    """None."""


def looks(options: Options) -> bool:
    """It never looks at a load."""
    return False


def make(pool: Pool, options: Options, rng: np.random.Generator) -> Router:
    turns = cycle(range(len(pool)))

    def choose(request: Request, now: float) -> int:
        return next(turns)

    return Router(choose)
