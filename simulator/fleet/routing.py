"""A router by its name and options."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.errors import InputError, Problem
from simulator.fleet.pool import Pool, Router
from simulator.plugins import find, names, options
from simulator.scenario.places import positioned
from simulator.scenario.resolved import Plugin, Resolved


def check(scenario: Resolved) -> None:
    """Raises InputError, at their places, for routers that are not there or lack an option."""
    asked = {"fleet.router": scenario.fleet.router}
    asked |= {f"fleet.pools.{pool.pool}.router": pool.router for pool in scenario.fleet.pools if pool.router}
    problems: list[Problem] = []
    for where, plugin in asked.items():
        try:
            options(find("routers", plugin.name, where), plugin.options, where)
        except InputError as error:
            problems += error.problems
    if not problems:
        problems = unseen(scenario)
    if problems:
        raise positioned(InputError(problems), scenario.places)


def unseen(scenario: Resolved) -> list[Problem]:
    """A problem if there is a view_delay and no router of the fleet looks at a load."""
    plugins = [pool.router or scenario.fleet.router for pool in scenario.fleet.pools]
    if not scenario.fleet.view_delay_s or any(looks(plugin) for plugin in plugins):
        return []
    blind = ", ".join(dict.fromkeys(plugin.name for plugin in plugins))
    sighted = [name for name in names("routers") if looks(Plugin(name))]
    what = f"has no effect: {blind} never looks at loads"
    return [Problem("fleet.view_delay", what, f"a router that does: {', '.join(sighted)}")]


def looks(plugin: Plugin) -> bool:
    """Whether the router looks at loads: its module's `looks(options)` says so, and one without does."""
    module = find("routers", plugin.name)
    asked = getattr(module, "looks", None)
    return asked is None or bool(asked(options(module, plugin.options)))


def router(name: str, given: dict[str, Any], pool: Pool, rng: np.random.Generator, where: str = "") -> Router:
    """The router of that name over the pool. Raises InputError for options that it does not have."""
    module = find("routers", name, where)
    made: Router = module.make(pool, options(module, given, where), rng)
    return made
