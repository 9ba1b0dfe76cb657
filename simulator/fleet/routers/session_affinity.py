"""All turns of a session go where its first one went: to the replica with the fewest requests at that
time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.engine.request import Request
from simulator.fleet.least import least
from simulator.fleet.pool import Pool, Router


@dataclass(frozen=True, slots=True)
class Options:
    """None."""


def make(pool: Pool, options: Options, rng: np.random.Generator) -> Router:
    fewest = least(len(pool), pool.outstanding)
    home: dict[int, int] = {}

    def choose(request: Request, now: float) -> int:
        if request.session < 0:
            return fewest.choose(request, now)
        index = home.get(request.session)
        if index is None:
            index = home[request.session] = fewest.choose(request, now)
        return index

    return Router(choose, fewest.changed)
