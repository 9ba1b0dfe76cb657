"""A router by its name and options."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.errors import InputError, Problem
from simulator.fleet.pool import Pool, Router
from simulator.plugins import find, options
from simulator.scenario.places import positioned
from simulator.scenario.resolved import Resolved


def check(scenario: Resolved) -> None:
    """Raises InputError, at their places, for routers that are not there or lack an option."""
    asked = {"fleet.router": scenario.fleet.router}
    asked |= {f"fleet.pools.{pool.name}.router": pool.router for pool in scenario.fleet.pools if pool.router}
    problems: list[Problem] = []
    for where, plugin in asked.items():
        try:
            options(find("routers", plugin.name, where), plugin.options, where)
        except InputError as error:
            problems += error.problems
    if problems:
        raise positioned(InputError(problems), scenario.places)


def router(name: str, given: dict[str, Any], pool: Pool, rng: np.random.Generator, where: str = "") -> Router:
    """The router of that name over the pool. Raises InputError for options that it does not have."""
    module = find("routers", name, where)
    made: Router = module.make(pool, options(module, given, where), rng)
    return made
