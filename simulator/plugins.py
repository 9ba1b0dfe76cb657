"""A feature is a file found by its name: a module of a package, an entry point, or a path of the user's own."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import pkgutil
from pathlib import Path
from types import ModuleType

from simulator.errors import InputError, Problem, unknown

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
    """The first line of the module's docstring: its help."""
    return (find(kind, name).__doc__ or "").strip().split("\n")[0]


def _entry_points(kind: str) -> list[importlib.metadata.EntryPoint]:
    return list(importlib.metadata.entry_points(group=f"sim.{kind}"))


def _from_path(kind: str, path: Path, where: str) -> ModuleType:
    if not path.is_file():
        raise InputError(Problem(where, f"no such file: {path}", f"a Python file that implements one of the {kind}"))
    spec = importlib.util.spec_from_file_location(f"sim_user_{path.stem}", path)
    assert spec is not None and spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
