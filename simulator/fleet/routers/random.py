"""A replica at random, each with the same chance."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.engine.request import Request
from simulator.fleet.pool import Pool, Router


def make(pool: Pool, options: dict[str, Any], rng: np.random.Generator) -> Router:
    size = len(pool)
    draws: list[int] = []

    def choose(request: Request, now: float) -> int:
        if not draws:
            draws.extend(rng.integers(size, size=4096).tolist())
        return draws.pop()

    return Router(choose)
