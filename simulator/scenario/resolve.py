"""Catalogue names into values, and every default filled in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator import catalog
from simulator.errors import InputError, Problem
from simulator.scenario import resolved as r
from simulator.scenario.engine_args import engine_args
from simulator.scenario.positions import Node, Where, place
from simulator.scenario.supported import unsupported
from simulator.scenario.write import digest, document_of, file_sha256, places

if TYPE_CHECKING:
    from simulator.scenario import schema as s

Refuse = Callable[..., None]

# (weights, activations) by quantization; KV caches are bf16 unless said
DTYPES = {
    "none": ("bf16", "bf16"),
    "fp8": ("fp8", "fp8"),
    "w8a16": ("int8", "bf16"),
    "int8": ("int8", "int8"),
    "int4": ("int4", "bf16"),
    "fp4": ("fp4", "fp4"),
}


def resolve(scenario: s.Scenario, document: Node) -> r.Resolved:
    """A valid Scenario and the document it came from, as the values that a simulation needs.

    Raises InputError with every fault: missing files, names without an entry, what this release cannot do.
    """
    problems = unsupported(scenario, document)

    def refuse(path: tuple[str, ...], what: str, allowed: str = "", hint: str = "") -> None:
        problems.append(Problem(str(place(document, path)), what, allowed, hint))

    model = _model(scenario.model, document, refuse)
    workload = _workload(scenario.workload, document, refuse)
    pools = tuple(_pool(name, pool, model, document, refuse) for name, pool in scenario.fleet.pools.items())
    router = _plugin(scenario.fleet.router, ("fleet", "router"), document, refuse)
    if problems or model is None:
        raise InputError(list(dict.fromkeys(problems)))
    fleet = r.FleetSpec(router, pools, None)
    run = _run(scenario, pools)
    filled = document_of(scenario, model, workload, fleet, run)
    return r.Resolved(
        name=scenario.name,
        seed=scenario.seed,
        model=model,
        workload=workload,
        fleet=fleet,
        slo=_slo(scenario.slo),
        run=run,
        document=filled,
        hash=digest(filled),
        places=places(document),
    )


def path_of(document: Node, path: tuple[str, ...]) -> Path:
    """The file that a value names, relative to the file in which it was written."""
    where: Where = place(document, path)
    found: Any = document
    for step in path:
        found = found.value[step]
    return where.directory / str(found.value)


def _model(section: s.ModelSection, document: Node, refuse: Refuse) -> r.ModelSpec | None:
    shape = _shape(section, document, refuse)
    if shape is None:
        return None
    weights, activations = DTYPES[section.quantization]
    kv = "bf16" if section.kv_cache_dtype == "auto" else section.kv_cache_dtype
    return r.ModelSpec(shape, section.quantization, weights, activations, kv)


def _shape(section: s.ModelSection, document: Node, refuse: Refuse) -> catalog.Model | None:
    try:
        if section.config is None:
            at = str(place(document, ("model", "name")))
            return catalog.load("models", str(section.name), at)  # type: ignore[no-any-return] # load is by kind
        return None
    except InputError as error:
        refuse(("model", "name"), error.problems[0].what, error.problems[0].allowed, error.problems[0].hint)
        return None


def _workload(section: s.WorkloadSection, document: Node, refuse: Refuse) -> r.WorkloadSpec:
    trace = None
    if section.trace is not None:
        path = path_of(document, ("workload", "trace"))
        trace = str(path.absolute())
        if not path.is_file():
            refuse(("workload", "trace"), f"no such file: {section.trace}", "a trace, relative to this file")
        elif section.trace_sha256 not in (None, file_sha256(path)):
            refuse(("workload", "trace_sha256"), f"{section.trace} has another content: {file_sha256(path)}")
    synthetic = {"name": section.synthetic} if isinstance(section.synthetic, str) else section.synthetic
    part = section.slice
    return r.WorkloadSpec(
        trace=trace,
        format=section.format,
        format_options=section.format_options,
        synthetic=synthetic,
        rate_scale=section.rate_scale,
        limit=section.limit,
        over_limit=section.over_limit,
        skip_bad_rows=section.skip_bad_rows,
        slice_s=(part.start, part.end if part.end is not None else float("inf")) if part else None,
    )


def _pool(
    name: str, pool: s.PoolSection, model: r.ModelSpec | None, document: Node, refuse: Refuse
) -> r.PoolSpec:
    accelerator: catalog.Accelerator = catalog.load("accelerators", pool.accelerator)
    at = ("fleet", "pools", name)
    limit = model.shape.max_position_embeddings if model else 2**31 - 1
    engine = engine_args(
        pool.engine, accelerator, limit, lambda key, *text: refuse((*at, "engine", key), *text)
    )
    layout = r.Layout(
        pool.tensor_parallel_size,
        pool.pipeline_parallel_size,
        pool.data_parallel_size,
        pool.enable_expert_parallel,
    )
    router = _plugin(pool.router, (*at, "router"), document, refuse) if pool.router else None
    return r.PoolSpec(name, pool.role, pool.replicas, accelerator, layout, engine, router, pool.step_time)


def _plugin(section: s.PluginSection, at: tuple[str, ...], document: Node, refuse: Refuse) -> r.Plugin:
    if not section.name.endswith(".py"):
        return r.Plugin(section.name, section.options)
    path = place(document, at).directory / section.name
    if not path.is_file():
        refuse(at, f"no such file: {section.name}", "a Python file, relative to this file")
    return r.Plugin(str(path.absolute()), section.options)


def _slo(section: s.SloSection | None) -> r.SloSpec | None:
    if section is None:
        return None
    return r.SloSpec(section.ttft, section.tpot, section.itl, section.e2e, section.attainment)


def _run(scenario: s.Scenario, pools: tuple[r.PoolSpec, ...]) -> r.RunSpec:
    run = scenario.run
    prices = {p.accelerator.name: p.accelerator.price_usd_per_hour for p in pools} | scenario.prices
    resample = run.resample
    if resample is None and scenario.workload.trace is not None:
        resample = "blocks" if run.replications > 1 else "none"
    return r.RunSpec(
        warmup_s=run.warmup,
        duration_s=run.duration,
        replications=run.replications,
        confidence=run.confidence,
        bin_s=run.bin,
        price=prices,
        resample=resample,
        leap=run.leap,
        exact=run.exact,
    )
