"""A resolved scenario as a document: what a run folder keeps, and what its hash is taken of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from simulator.scenario import engine_args
from simulator.scenario import resolved as r
from simulator.scenario.members import parts
from simulator.scenario.positions import Place
from simulator.scenario.synthetic import written

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario


def document_of(
    scenario: Scenario, fleet: r.FleetSpec, run: r.RunSpec, files: Mapping[Place, tuple[str, str]]
) -> dict[str, Any]:
    """The scenario with every default filled in, in plain values and SI units; it can be loaded again.

    files: each value that names a file: the path as its folder would write it, and the SHA-256.
    """
    document = scenario.model_dump(exclude_none=True)
    if scenario.model.kv_cache_dtype == "auto":
        document["model"]["kv_cache_dtype"] = "bf16"
    if scenario.workload.synthetic is not None:
        document["workload"]["synthetic"] = written(scenario.workload.synthetic)
    for part, pool in zip(parts(scenario.fleet.pools), fleet.pools, strict=True):
        section, filled = document["fleet"]["pools"][part.pool], engine_args.written(pool.engine)
        if part.member:
            section = section["members"][part.member]
            if part.inherits_policy:
                del filled["scheduling_policy"]  # the pool has it
        section["engine"] = filled
    document["run"] |= {"warmup": "auto" if run.warmup_s is None else run.warmup_s}
    document["run"] |= _present({"resample": run.resample})
    if run.precision is not None:
        document["run"] |= {"precision_of": list(run.precision_of), "max_replications": run.max_replications}
    document["prices"] = dict(sorted(run.price.items()))
    for path, (shown, _) in files.items():
        _replace(document, path, shown)
    document["files"] = dict(sorted(files.values()))
    return _present(document)


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None and value != {}}


def _replace(document: Any, path: Place, value: str) -> None:
    """Puts a value at a path; a plug-in named by its path alone has it under `name` by now."""
    for step in path[:-1]:
        document = document[step]
    if isinstance(document[path[-1]], dict):
        document[path[-1]]["name"] = value
    else:
        document[path[-1]] = value


def digest(document: dict[str, Any]) -> str:
    """SHA-256 (hex) of a document's canonical JSON; a file counts by its content, not its path."""
    files = document.get("files", {})
    rest = _with_contents({key: value for key, value in document.items() if key != "files"}, files)
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _with_contents(value: Any, files: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _with_contents(item, files) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_contents(item, files) for item in value]
    return files.get(value, value) if isinstance(value, str) else value
