"""A router by its name and options, checked."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

import numpy as np

from simulator.errors import InputError, Problem, nearest
from simulator.fleet.pool import Pool, Router
from simulator.plugins import find


def router(
    name: str, options: dict[str, Any], pool: Pool, rng: np.random.Generator, where: str = ""
) -> Router:
    """The router of that name over the pool. Raises InputError for options that it does not have."""
    module = find("routers", name, where)
    made: Router = module.make(pool, read(module.Options, options, where or f"router {name}"), rng)
    return made


def read(kind: type[Any], options: dict[str, Any], where: str) -> Any:
    """A dataclass of options from what the user wrote. Raises InputError with every fault."""
    known = {field.name: field for field in fields(kind)}
    problems = []
    for key, value in options.items():
        if key not in known:
            close = nearest(key, known)
            hint = f"did you mean {close!r}?" if close else ""
            problems.append(Problem(where, f"unknown option {key!r}", ", ".join(known) or "none", hint))
            continue
        default = known[key].default
        if default is not MISSING and not _fits(value, default):
            problems.append(
                Problem(where, f"{key}: {value!r} is no {_kind(default)}", f"such as {default!r}")
            )
    if problems:
        raise InputError(problems)
    return kind(**options)


def _fits(value: Any, default: Any) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))


def _kind(default: Any) -> str:
    return {bool: "true or false", int: "whole number", float: "number", str: "text"}.get(
        type(default), "value"
    )
