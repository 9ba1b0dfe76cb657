"""A hash of the session, or of the prompt's first segment, on a ring of the replicas; a full one passes
it on.

Bounded loads (Mirrokni, Thorup and Zadimoghaddam 2018): no replica takes more than `bound` times the mean
of requests waiting or running; the next on the ring does.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from dataclasses import dataclass
from math import ceil

import numpy as np

from simulator.engine.request import Request
from simulator.fleet.pool import Pool, Router


@dataclass(frozen=True, slots=True)
class Options:
    """points: places of each replica on the ring; bound: most load of a replica over the mean, 0: no
    bound.
    """

    points: int = 64
    bound: float = 1.25


def looks(options: Options) -> bool:
    """Only a bound needs loads."""
    return options.bound > 0


def make(pool: Pool, options: Options, rng: np.random.Generator) -> Router:
    ring = sorted(
        (_hash(f"{index}/{point}"), index) for index in range(len(pool)) for point in range(options.points)
    )
    places = [place for place, _ in ring]

    def choose(request: Request, now: float) -> int:
        key = (
            request.session
            if request.session >= 0
            else request.pieces[0][0]
            if request.pieces
            else request.row
        )
        at = bisect_right(places, _hash(str(key)))
        most = ceil(options.bound * (pool.in_system + 1) / len(pool)) if options.bound else float("inf")
        for step in range(len(ring)):
            index = ring[(at + step) % len(ring)][1]
            if pool.outstanding(index, now) < most:
                return index
        return ring[at % len(ring)][1]

    return Router(choose)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
