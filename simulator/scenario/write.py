"""A resolved scenario as a document: what a run folder keeps, and what its hash is taken of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.scenario import resolved as r
from simulator.scenario.positions import Node

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario

ENGINE_FACTS = ("version", "planner")  # of the preset, not arguments


def document_of(
    scenario: Scenario, model: r.ModelSpec, workload: r.WorkloadSpec, fleet: r.FleetSpec, run: r.RunSpec
) -> dict[str, Any]:
    """The scenario with every default filled in, in plain values and SI units; it can be loaded again."""
    written = scenario.model_dump(exclude_none=True)
    written["model"]["kv_cache_dtype"] = model.kv_dtype
    if workload.trace is not None:
        written["workload"]["trace_sha256"] = file_sha256(Path(workload.trace))
    for pool in fleet.pools:
        engine = {key: value for key, value in asdict(pool.engine).items() if key not in ENGINE_FACTS}
        written["fleet"]["pools"][pool.name]["engine"] = _present(engine)
    if run.resample is not None:
        written["run"]["resample"] = run.resample
    written["run"].setdefault("warmup", "auto")
    written["prices"] = dict(sorted(run.price.items()))
    return _present(written)


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None and value != {}}


def digest(document: dict[str, Any]) -> str:
    """SHA-256 (hex) of a document's canonical JSON; a trace counts by its content, not its path."""
    workload = {key: value for key, value in document["workload"].items() if key != "trace"}
    text = json.dumps({**document, "workload": workload}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Of a file's bytes, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def places(document: Node) -> dict[str, str]:
    """Each dotted key of a document to where it was written."""
    found: dict[str, str] = {}

    def walk(node: Node, path: str) -> None:
        found[path] = str(node.where)
        children = node.value.items() if isinstance(node.value, dict) else ()
        for key, child in children:
            walk(child, f"{path}.{key}" if path else key)

    walk(document, "")
    return found
