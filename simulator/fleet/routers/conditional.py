"""Long prompts to prefill pools, short ones stay: conditional disaggregation by the tokens that are not
cached.

A prompt of more than `tokens` tokens beyond the longest prefix that a colocated replica has seen goes to
a prefill replica, any other to a colocated one; `long` and `short` name the routers among these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.engine.request import Request
from simulator.errors import InputError, Problem
from simulator.fleet.pool import Pool, Router
from simulator.fleet.prefixes import Prefixes
from simulator.fleet.routing import router as make_router

BETWEEN_POOLS = True


@dataclass(frozen=True, slots=True)
class Options:
    """tokens: longest prompt that stays; remember: most prefixes in the router's record."""

    tokens: int = 2048
    long: str = "least_tokens"
    short: str = "least_requests"
    remember: int = 1_000_000


def make(pool: Pool, options: Options, rng: np.random.Generator) -> Router:
    """Raises InputError unless the pool has both prefill and colocated replicas."""
    places = {
        role: [i for i, replica in enumerate(pool.replicas) if replica.role == role]
        for role in ("prefill", "both")
    }
    if not all(places.values()):
        raise InputError(
            Problem("fleet.router", "conditional needs a pool of role prefill and one of role both")
        )
    names = {"prefill": options.long, "both": options.short}
    parts = {
        role: Pool(role, [pool.replicas[i] for i in own], pool.view_delay_s) for role, own in places.items()
    }
    routers = {role: make_router(names[role], {}, part, rng) for role, part in parts.items()}
    seen = Prefixes(options.remember)
    part_of = {i: (role, j) for role, own in places.items() for j, i in enumerate(own)}

    def choose(request: Request, now: float) -> int:
        cached = max(seen.matches(request).values(), default=0)
        role = "prefill" if request.prompt - cached > options.tokens else "both"
        index = places[role][routers[role].choose(request, now)]
        seen.add(request, index)
        return index

    def changed(index: int) -> None:
        role, place = part_of[index]
        told = routers[role].changed
        if told is not None:
            told(place)

    return Router(choose, changed)
