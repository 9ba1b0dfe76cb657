"""Each replica in turn, whatever its load."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np

from simulator.engine.request import Request
from simulator.fleet.pool import Pool, Router


def make(pool: Pool, options: dict[str, Any], rng: np.random.Generator) -> Router:
    turns = cycle(range(len(pool)))

    def choose(request: Request, now: float) -> int:
        return next(turns)

    return Router(choose)
