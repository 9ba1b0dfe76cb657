"""The replica with the smallest share of its KV blocks in use; among equals the one chosen longest ago."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.fleet.least import least
from simulator.fleet.pool import Pool, Router


@dataclass(frozen=True, slots=True)
class Options:
    """None."""


def make(pool: Pool, options: Options, rng: np.random.Generator) -> Router:
    return least(len(pool), pool.kv_use)
