"""The longest cached prefix traded against load: the fewest prompt tokens to compute before the request's
first token.

Of a replica that has seen `match` tokens of the prompt the cost is (prompt − match) · overlap + tokens
queued there, after the cost function of NVIDIA Dynamo's KV router; where it is no less on the least
loaded replica, that one is taken. Only the replicas that know the prefix and the least loaded one are
looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.engine.request import Request
from simulator.fleet.least import least
from simulator.fleet.pool import Pool, Router
from simulator.fleet.prefixes import Prefixes


@dataclass(frozen=True, slots=True)
class Options:
    """overlap: weight of a prompt's own tokens against those queued; decode: tokens that a running
    request counts as; remember: most prefixes in the router's record; candidates: most replicas that know
    the prefix to look at.
    """

    overlap: float = 1.0
    decode: float = 64.0
    remember: int = 1_000_000
    candidates: int = 16


def make(pool: Pool, options: Options, rng: np.random.Generator) -> Router:
    seen = Prefixes(options.remember)

    def load(index: int, now: float) -> float:
        return pool.queued_tokens(index, now) + options.decode * pool.outstanding(index, now)

    fewest = least(len(pool), load)

    def choose(request: Request, now: float) -> int:
        best = fewest.choose(request, now)
        cost = options.overlap * request.prompt + load(best, now)
        matches = seen.matches(request)
        for index, match in sorted(matches.items(), key=lambda item: -item[1])[: options.candidates]:
            other = options.overlap * (request.prompt - match) + load(index, now)
            if other < cost or (other == cost and index == best):
                best, cost = index, other
        seen.add(request, best)
        return best

    return Router(choose, fewest.changed)
