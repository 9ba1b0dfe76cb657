"""A feature is a file found by its name: a module of a package, an entry point, or a user's own path."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from dataclasses import MISSING, fields
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from simulator.errors import InputError, Problem, unknown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

PACKAGES = {
    "routers": "simulator.fleet.routers",
    "policies": "simulator.engine.policies",
    "planners": "simulator.engine.planners",
    "formats": "simulator.workload.formats",
    "exports": "simulator.report.export",
}


def names(kind: str) -> list[str]:
    """The names that `find(kind, name)` accepts besides paths; nothing is imported but the package itself."""
    package = importlib.import_module(PACKAGES[kind])
    built_in = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return sorted({*built_in, *(entry.name for entry in _entry_points(kind))})


def find(kind: str, name: str, where: str = "") -> ModuleType:
    """The module that implements `name`: built in, from an entry point `sim.<kind>`, or a path ending in .py.

    Raises InputError if there is none.
    """
    if name.endswith(".py"):
        return _from_path(kind, Path(name), where)
    if name.isidentifier() and importlib.util.find_spec(f"{PACKAGES[kind]}.{name}"):
        return importlib.import_module(f"{PACKAGES[kind]}.{name}")
    for entry in _entry_points(kind):
        if entry.name == name:
            loaded = entry.load()
            assert isinstance(loaded, ModuleType), f"entry point sim.{kind}:{name} must name a module"
            return loaded
    raise InputError(unknown(where, kind.removesuffix("s"), name, names(kind)))


def describe(kind: str, name: str) -> str:
    """The first paragraph of the module's docstring: its help."""
    return " ".join((find(kind, name).__doc__ or "").strip().split("\n\n")[0].split())


def options(module: ModuleType, given: dict[str, Any], where: str = "") -> Any:
    """The module's `Options`, a dataclass whose fields all have defaults, out of what the user wrote.

    None if the module has none. Raises InputError with every fault, each at `where`.option.
    """
    shape = getattr(module, "Options", None)
    known = {} if shape is None else {field.name: field.default for field in fields(shape)}
    problems = []
    for name, value in given.items():
        place = f"{where}.{name}".lstrip(".")
        if name not in known:
            problems.append(unknown(place, "option", name, known))
        elif not _fits(value, known[name]):
            allowed = f"{_kind(known[name])}, such as {known[name]!r}"
            problems.append(Problem(place, f"{name}: {value!r} is no {_kind(known[name])}", allowed))
    if problems:
        raise InputError(problems)
    return None if shape is None else shape(**given)


def _fits(value: Any, default: Any) -> bool:
    """Whether a value is of the kind of an option's default; None and MISSING say nothing of the kind."""
    if default is None or default is MISSING:
        return True
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    return isinstance(value, int | float if isinstance(default, float) else type(default))


def _kind(default: Any) -> str:
    kinds = {bool: "true or false", int: "whole number", float: "number", str: "text"}
    return kinds.get(type(default), type(default).__name__)


def _entry_points(kind: str) -> list[EntryPoint]:
    from importlib.metadata import entry_points  # takes longer to import than all of this package's roots

    return list(entry_points(group=f"sim.{kind}"))


def _from_path(kind: str, path: Path, where: str) -> ModuleType:
    if not path.is_file():
        raise InputError(
            Problem(where, f"no such file: {path}", f"a Python file that implements one of the {kind}")
        )
    spec = importlib.util.spec_from_file_location(f"sim_user_{path.stem}", path)
    assert spec is not None and spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
