"""A run's deployment: from its index row to a scenario's model and fleet."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from simulator import catalog
from simulator.errors import InputError
from simulator.fleet.build import price
from simulator.scenario.load import validate
from simulator.scenario.positions import Node, Where
from simulator.scenario.resolve import resolve
from simulator.scenario.resolved import Layout, Resolved
from simulator.study.measured.engines import Engine, engine
from simulator.study.measured.rows import Lacks, Row

# The catalogue's quantization by how a weights_dtype begins.
QUANTIZATIONS = {
    "16-bit": "none", "bf16": "none", "bfloat16": "none", "fp16": "none", "fp8": "fp8", "int8": "int8",
    "int4": "int4", "fp4": "fp4", "nvfp4": "fp4",
}  # fmt: skip
# Weights of that width with 16-bit arithmetic.
WIDENED = {"fp8": "w8a16", "int8": "w8a16", "fp4": "int4"}
# A workload of the scenario's own; what is simulated is the run's load.
NO_WORKLOAD = {
    "synthetic": {
        "requests": 1,
        "arrivals": {"kind": "constant", "rate": 1},
        "prompt": {"kind": "constant", "tokens": 1},
        "output": {"kind": "constant", "tokens": 1},
    }
}


@dataclass(frozen=True, slots=True)
class Deployment:
    """scenario: model and fleet as resolved; marks: what was assumed; unused: recorded arguments that have no
    effect here."""

    scenario: Resolved
    marks: tuple[str, ...]
    unused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pool:
    """So many replicas of one layout."""

    replicas: int
    layout: Layout


def deployment(row: Row, accelerator: str = "", longest: int = 0) -> Deployment:
    """The deployment of a row's run. accelerator: of runs that don't record theirs; longest: tokens of the
    longest request, for engines whose limit was not recorded and whose default doesn't fit.

    Raises Lacks for what the row doesn't say or this simulator doesn't have, and InputError for what the
    engine would not start with.
    """
    served, marks = engine(row), []
    if not row.text("accelerator"):
        if not accelerator:
            raise Lacks("the accelerator")
        marks.append(f"on {accelerator}, which is not recorded")
    device = _known("accelerators", row.text("accelerator") or accelerator)
    if longest and "max_model_len" not in served.arguments:
        served = replace(served, arguments={**served.arguments, "max_model_len": longest})
        marks.append(f"max_model_len {longest}: the engine's default does not fit")
    pools = _pools(row)
    document = {
        "name": "measured",
        "model": _model(row, device, marks),
        "workload": NO_WORKLOAD,
        "fleet": _fleet(row, pools, device, served, marks),
    }
    scenario = laid_out(resolve_document(document, row.where), pools)
    return Deployment(scenario, (*served.marks, *dict.fromkeys(marks)), served.unused)


def resolve_document(document: dict[str, Any], where: str) -> Resolved:
    """A scenario from plain values. Raises InputError."""
    node = _node(document, Where(where))
    return resolve(validate(node), node, {})


def laid_out(scenario: Resolved, pools: dict[str, Pool]) -> Resolved:
    """The scenario with its pools' layouts: the cost model and memory know more of them than scenario files
    may ask for."""
    specs = tuple(replace(spec, layout=pools[spec.name].layout) for spec in scenario.fleet.pools)
    return replace(scenario, fleet=replace(scenario.fleet, pools=specs))


def _node(value: Any, where: Where) -> Node:
    if isinstance(value, dict):
        return Node({key: _node(child, where) for key, child in value.items()}, where, where)
    return Node(value, where, where)


def _known(kind: str, name: str) -> str:
    if not name or not catalog.known(kind, name):
        raise Lacks(f"{kind.removesuffix('s')} {name or '(not recorded)'} in the catalogue")
    return catalog.canonical(kind, name)


def _model(row: Row, accelerator: str, marks: list[str]) -> dict[str, Any]:
    weights, kv = row.text("weights_dtype").lower(), row.text("kv_dtype").lower()
    if not weights:
        raise Lacks("the weights' dtype")
    if "speculative" in row.text("engine_args"):
        raise Lacks("speculative decoding")
    found = [name for start, name in QUANTIZATIONS.items() if weights.startswith(start)]
    if not found:
        raise Lacks(f"quantization {weights}")
    cache = "fp8" if kv.startswith("fp8") else "auto"
    quantization = _possible(found[0], accelerator, marks)
    model = _named(row.text("model"), marks)
    if quantization == "fp8":
        quantization = _as_published(row.text("model"))
    return {"name": model, "quantization": quantization, "kv_cache_dtype": cache}


def _as_published(name: str) -> str:
    """How the FP8 weights of a model of the catalogue are scaled, where they are what was published."""
    model = catalog.load("models", name) if catalog.known("models", name) else None
    return "fp8_block" if model is not None and model.published == "fp8_block" else "fp8"


def _named(name: str, marks: list[str]) -> str:
    """The catalogue's model of that name, or of the name without who publishes it and without its last parts:
    fine-tuned and quantised models have the shape of what they are made from."""
    parts = name.rpartition("/")[2].split("-")
    shorter = ["-".join(parts[:end]) for end in range(len(parts), 1, -1)]
    found = next((short for short in shorter if catalog.known("models", short)), "")
    if found and not catalog.known("models", name):
        marks.append(f"{name} has the shape of {catalog.canonical('models', found)}")
        return catalog.canonical("models", found)
    return _known("models", name)


def _possible(quantization: str, accelerator: str, marks: list[str]) -> str:
    """The quantization; narrow weights that the accelerator cannot multiply as they are, it widens first."""
    device: catalog.Accelerator = catalog.load("accelerators", accelerator)
    if quantization not in WIDENED or quantization in device.peak_flops:
        return quantization
    marks.append(
        f"{quantization} weights multiplied in 16 bits: {accelerator} has no {quantization} arithmetic"
    )
    return WIDENED[quantization]


def _fleet(
    row: Row, pools: dict[str, Pool], accelerator: str, served: Engine, marks: list[str]
) -> dict[str, Any]:
    roles = {name: name if name in ("prefill", "decode") else "both" for name in pools}
    sections = {
        name: {
            "role": roles[name],
            "replicas": pool.replicas,
            "pipeline_parallel_size": pool.layout.pipeline_parallel_size,
            "accelerator": accelerator,
            "engine": served.arguments,
        }
        for name, pool in pools.items()
    }
    if "prefill" not in pools:
        return {"router": "round_robin", "pools": sections}
    return {"router": "round_robin", "pools": sections, "transfer": _transfer(row, accelerator, marks)}


def _transfer(row: Row, accelerator: str, marks: list[str]) -> dict[str, Any]:
    """The link between the pools: a nominal bandwidth that the row names, else the accelerators' own."""
    connector = "distserve" if row.text("engine").startswith("distserve") else "nixl"
    if connector not in row.text("engine_args").lower() + row.text("engine"):
        marks.append("handed over as with NIXL")
    nominal = re.search(r"of a nominal ([\d.]+ GB/s)", row.text("notes"))
    if nominal:
        return {"connector": connector, "bandwidth": nominal[1], "latency": "30 us"}
    device: catalog.Accelerator = catalog.load("accelerators", accelerator)
    marks.append(f"the link between pools is {accelerator}'s {device.scaleup_kind}, none is recorded")
    width = {"bandwidth": device.scaleup_bytes_per_s, "per": "accelerator"}
    return {"connector": connector, "latency": "20 us", **width}


def _pools(row: Row) -> dict[str, Pool]:
    if row.text("layout") == "P/D":
        return {name: _pool(row.text(f"{name}_pool"), name) for name in ("prefill", "decode")}
    if row.text("layout") != "colocated":
        raise Lacks(f"layout {row.text('layout') or '(not recorded)'}")
    layout = _layout(*(row.count(key) or 1 for key in ("tp", "pp", "dp", "ep")))
    replicas = (row.count("n_gpus") or layout.accelerators) / layout.accelerators
    if replicas != int(replicas) or replicas < 1:
        raise Lacks(f"a layout for its {row.count('n_gpus')} accelerators")
    return {"serve": Pool(int(replicas), layout)}


def _pool(cell: str, role: str) -> Pool:
    """A pool such as "4x(TP8,PP1,attnDP1,moeTP1,moeEP8,batch1)"; parts that are not named are 1."""
    match = re.fullmatch(r"(\?|\d+)x\(([^)]*)\)", cell)
    if match is None or match[1] == "?":
        raise Lacks(f"the size of the {role} pool")
    parts = {name: int(size) for name, size in re.findall(r"([A-Za-z]+)(\d+)", match[2])}
    layout = _layout(parts.get("TP", 1), parts.get("PP", 1), parts.get("attnDP", 1), parts.get("moeEP", 1))
    return Pool(int(match[1]), layout)


def _layout(tp: int, pp: int, dp: int, ep: int) -> Layout:
    """Experts are spread over all ranks or cut by all; a layout that does both by halves is not modelled."""
    if ep not in (0, 1, tp * dp):
        raise Lacks("experts spread over some ranks and cut by others")
    if pp > 1 and dp > 1:
        raise Lacks("a pipeline of data-parallel ranks")
    return Layout(tp, pp, dp, ep > 1)


def started(deployed: Deployment, row: Row, accelerator: str, longest: int) -> Deployment:
    """The deployment as it starts. Where the engine's limit on lengths was not recorded and its default does
    not fit the memory, it is what the longest request needs.

    Raises InputError for weights or one request that don't fit and for a layout that divides ill, Lacks for a
    model that is too short for the longest request.
    """
    try:
        found = _started(deployed)
    except InputError:
        found = _started(deployment(row, accelerator, longest))
    limit = min(pool.engine.max_model_len for pool in found.scenario.fleet.pools)
    if longest > limit:
        raise Lacks(f"a model for its longest request ({longest} tokens, the limit is {limit})")
    return found


def _started(deployed: Deployment) -> Deployment:
    price(deployed.scenario)
    return deployed
