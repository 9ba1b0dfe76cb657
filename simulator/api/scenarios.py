"""A scenario in Python: loaded, changed without changing the one before, and looked at."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.api import page
from simulator.errors import InputError
from simulator.scenario import given
from simulator.scenario import load as files
from simulator.scenario.positions import Node, merge
from simulator.scenario.resolved import PoolSpec, Resolved

if TYPE_CHECKING:
    from simulator.api.requests import Workload

_NOT_GIVEN = object()


class Scenario:
    """One design under one workload. It is checked when it is made, and never changes.

    Make one by `Scenario.load`, `Scenario.from_text` or `Scenario.from_dict`; all raise InputError with every
    fault at once: what is wrong, what is allowed, and the nearest valid name.
    """

    __slots__ = ("_document", "_resolved")

    def __init__(self, document: Node) -> None:
        """document: as the loaders make it; use those."""
        self._document = document
        self._resolved = files.resolved(document)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Scenario:
        """The scenario in a YAML file, laid upon what it extends."""
        return cls(files.read(path))

    @classmethod
    def from_text(cls, text: str, directory: str | os.PathLike[str] = ".") -> Scenario:
        """A scenario as YAML; paths in it are relative to `directory`."""
        return cls(given.from_text(text, Path(directory)))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], directory: str | os.PathLike[str] = ".") -> Scenario:
        """A scenario as nested mappings with the keys of a file; quantities are numbers in SI units, or texts
        with units ("50 ms"). Paths are relative to `directory`.
        """
        return cls(given.from_values(values, Path(directory)))

    def with_set(self, key: str | Mapping[str, Any], value: Any = _NOT_GIVEN) -> Scenario:
        """Another scenario in which a dotted key, or each key of a mapping, has another value.

        `with_set("fleet.pools.serve.replicas", 8)`, `with_set({"seed": 3, "slo.ttft": "1 s"})`. A mapping as
        value is laid upon what is there; None takes the key away. Paths are relative to the working
        directory. Raises InputError with every fault.
        """
        if isinstance(key, str) == (value is _NOT_GIVEN):
            raise TypeError("with_set(KEY, VALUE) or with_set({KEY: VALUE, …})")
        values = {key: value} if isinstance(key, str) else key
        return Scenario(merge(self._document, given.assigned(values)))

    def with_workload(self, workload: Workload, path: str | os.PathLike[str]) -> Scenario:
        """The same design under requests of one's own, in place of its trace or synthetic workload.

        They are written to `path` (Parquet), so that what is saved of a run can be run again. What the
        scenario says of its old workload (rate_scale, limit, …) goes with it.
        """
        workload.save(path)
        bare = merge(self._document, given.assigned({"workload": None}))
        return Scenario(merge(bare, given.assigned({"workload": {"trace": path}})))

    @property
    def name(self) -> str:
        """What reports call it."""
        return self._resolved.name

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the whole scenario, a trace counting by its content: equal ones run alike."""
        return self._resolved.hash

    @property
    def resolved(self) -> Resolved:
        """Every name looked up and every default filled in, as the simulator reads it."""
        return self._resolved

    @property
    def document(self) -> dict[str, Any]:
        """The same as nested mappings with the keys of a file, in SI units."""
        import copy

        return copy.deepcopy(self._resolved.document)

    def to_yaml(self) -> str:
        """`document` as YAML, which can be loaded again."""
        from simulator.results.folder import to_yaml

        return to_yaml(self._resolved.document)

    def workload(self, replication: int = 0) -> Workload:
        """The requests that it asks of its fleet, in one replication."""
        from simulator.api.requests import Workload
        from simulator.scenario.places import positioned
        from simulator.study.same_workload import requests_of

        try:
            return Workload(requests_of(self._resolved, replication))
        except InputError as error:
            raise positioned(error, self._resolved.places) from None

    def __repr__(self) -> str:
        pools = "; ".join(f"{pool.name}: {_pool(pool)}" for pool in self._resolved.fleet.pools)
        return f"<Scenario {self.name}: {self._resolved.model.shape.name}; {pools}>"

    def _repr_html_(self) -> str:
        rows = [["model", _model(self._resolved)], ["workload", _workload(self._resolved)]]
        rows += [[f"pool {pool.name}", _pool(pool)] for pool in self._resolved.fleet.pools]
        rows += [["hash", self.hash[:8]]]
        return page.block(f"Scenario {self.name}", page.table([], rows))


def scenario(source: Scenario | str | os.PathLike[str] | Mapping[str, Any]) -> Scenario:
    """A Scenario from what a caller may name one by: itself, the path of a file, or its values."""
    if isinstance(source, Scenario):
        return source
    return Scenario.from_dict(source) if isinstance(source, Mapping) else Scenario.load(source)


def _model(resolved: Resolved) -> str:
    model = resolved.model
    return f"{model.shape.name}, weights {model.weight_dtype}, KV cache {model.kv_dtype}"


def _workload(resolved: Resolved) -> str:
    written = resolved.document["workload"]
    return str(written.get("trace") or (written["synthetic"].get("name") or "synthetic"))


def _pool(pool: PoolSpec) -> str:
    role = "" if pool.role == "both" else f"{pool.role}, "
    size = f"{pool.replicas} × {pool.layout.accelerators} {pool.accelerator.name}"
    return f"{role}{size}, {pool.engine.preset}"
