"""A router by its name and options."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.fleet.pool import Pool, Router
from simulator.plugins import find, options


def router(name: str, given: dict[str, Any], pool: Pool, rng: np.random.Generator, where: str = "") -> Router:
    """The router of that name over the pool. Raises InputError for options that it does not have."""
    module = find("routers", name, where)
    made: Router = module.make(pool, options(module, given, where), rng)
    return made
