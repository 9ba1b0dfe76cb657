"""Shortest job first, by a predicted number of output tokens; the longest is preempted.

The prediction is the true length times exp(error · z), z standard normal, drawn for each request once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import exp

from simulator import rng
from simulator.engine.policies import Policy, Rank, Setting, largest
from simulator.engine.request import Request

DRAWN = 4096


@dataclass(frozen=True, slots=True)
class Options:
    """error: standard deviation of the logarithm of predicted over true length; 0 knows it exactly."""

    error: float = 0.0


def make(options: Options, setting: Setting) -> Policy:
    @lru_cache(maxsize=16)
    def drawn(block: int) -> list[float]:
        stream = rng.stream(setting.seed, "prediction", setting.replication, block)
        return [float(z) for z in stream.standard_normal(DRAWN)]

    def key(request: Request) -> Rank:
        if not options.error:
            return (request.output, request.order)
        z = drawn(request.row // DRAWN)[request.row % DRAWN]
        return (request.output * exp(options.error * z), request.order)

    return Policy(key, largest(key), False)
