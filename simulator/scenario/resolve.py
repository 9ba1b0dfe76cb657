"""Catalogue names into values, and every default filled in."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator import catalog
from simulator.catalog import hf_config
from simulator.errors import InputError, Problem
from simulator.scenario import resolved as r
from simulator.scenario.checks import handing, inline
from simulator.scenario.engine_args import engine_args, with_policy
from simulator.scenario.files import sha256, shown
from simulator.scenario.members import Part, parts
from simulator.scenario.places import places
from simulator.scenario.positions import Node, Place, place
from simulator.scenario.supported import unsupported
from simulator.scenario.synthetic import SyntheticSection, written
from simulator.scenario.write import digest, document_of

if TYPE_CHECKING:
    from simulator.scenario import schema as s

Refuse = Callable[..., None]

# (weights, activations) by quantization; KV caches are bf16 unless said
DTYPES = {
    "none": ("bf16", "bf16"),
    "fp8": ("fp8", "fp8"),
    "fp8_block": ("fp8", "fp8"),
    "w8a16": ("int8", "bf16"),
    "int8": ("int8", "int8"),
    "int4": ("int4", "bf16"),
    "fp4": ("fp4", "fp4"),
}


def resolve(scenario: s.Scenario, document: Node, files: Mapping[Place, Path]) -> r.Resolved:
    """A valid Scenario, its document and the files it names, as the values that a simulation needs.

    Raises InputError with every fault: what the engine would not start with, what this release cannot do.
    """
    problems = unsupported(scenario, document)

    def refuse(path: Place, what: str, allowed: str = "", hint: str = "") -> None:
        dotted = ".".join(str(step) for step in path)
        problems.append(Problem(str(place(document, path)), f"{dotted}: {what}", allowed, hint))

    digests = _digests(scenario, document, files, refuse)
    model = _model(scenario.model, files, refuse)
    pools = tuple(_pool(part, model, files, refuse) for part in parts(scenario.fleet.pools))
    if problems or model is None:
        raise InputError(list(dict.fromkeys(problems)))
    fleet = r.FleetSpec(
        _plugin(scenario.fleet.router, ("fleet", "router"), files),
        pools,
        _transfer(scenario.fleet),
        scenario.fleet.view_delay,
    )
    workload, run = _workload(scenario.workload, files), _run(scenario, pools)
    filled = document_of(scenario, fleet, run, digests)
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
        correction=str(files.get(("cost", "correction"), scenario.cost.correction)),
        places=places(document),
    )


def _digests(
    scenario: s.Scenario, document: Node, files: Mapping[Place, Path], refuse: Refuse
) -> dict[Place, tuple[str, str]]:
    """Each named file as this scenario's folder would write it, and its SHA-256."""
    top = document.where.directory
    found = {path: (shown(file, top), sha256(file)) for path, file in files.items()}
    known = dict(found.values())
    for name, pinned in scenario.files.items():
        if name in known and known[name] != pinned:
            refuse(("files", name), f"the file has another content: {known[name]}")
        elif pinned not in known.values():  # a file of that content may lie elsewhere by now
            refuse(("files", name), "has no effect: the scenario names no such file", ", ".join(known))
    return found


def _model(section: s.ModelSection, files: Mapping[Place, Path], refuse: Refuse) -> r.ModelSpec | None:
    shape = _shape(section, files, refuse)
    if shape is None:
        return None
    weights, activations = DTYPES[section.quantization]
    kv = "bf16" if section.kv_cache_dtype == "auto" else section.kv_cache_dtype
    return r.ModelSpec(shape, section.quantization, weights, activations, kv)


def _shape(section: s.ModelSection, files: Mapping[Place, Path], refuse: Refuse) -> catalog.Model | None:
    try:
        config = _config(section, files)
        if config is None:
            model: catalog.Model = catalog.load("models", str(section.name))
            return model
        return hf_config.read(config, section.name or "inline", "the scenario")
    except InputError as error:
        for problem in error.problems:
            refuse(("model",), problem.what, problem.allowed, problem.hint)
    except (OSError, ValueError, TypeError) as error:
        refuse(("model", "config"), f"no Hugging Face config.json: {error}")
    return None


def _config(section: s.ModelSection, files: Mapping[Place, Path]) -> dict[str, Any] | None:
    """The model's config if it is given, inline or as a file; llama's architecture unless it says another."""
    given = section.config if isinstance(section.config, dict) else inline(section)
    if given:
        return {"model_type": "llama", **given}
    if section.config is None:
        return None
    found = json.loads(files["model", "config"].read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError("it holds no object")
    return found


def _workload(section: s.WorkloadSection, files: Mapping[Place, Path]) -> r.WorkloadSpec:
    trace = files.get(("workload", "trace"))
    part = section.slice
    return r.WorkloadSpec(
        trace=None if trace is None else str(trace.absolute()),
        format=section.format,
        format_options=section.format_options,
        synthetic=_synthetic(section.synthetic, files) if section.synthetic else None,
        rate_scale=section.rate_scale,
        limit=section.limit,
        over_limit=section.over_limit,
        skip_bad_rows=section.skip_bad_rows,
        slice_s=(part.start, float("inf") if part.end is None else part.end) if part else None,
    )


def _synthetic(section: SyntheticSection, files: Mapping[Place, Path]) -> dict[str, Any]:
    """Its parameters, with the paths of files absolute."""
    values = written(section)
    for path, file in files.items():
        if path[:2] == ("workload", "synthetic"):
            values[str(path[2])][str(path[3])] = str(file.absolute())
    return values


def _pool(part: Part, model: r.ModelSpec | None, files: Mapping[Place, Path], refuse: Refuse) -> r.PoolSpec:
    pool, at = part.section, part.at
    accelerator: catalog.Accelerator = catalog.load("accelerators", str(pool.accelerator))
    limit = model.shape.max_position_embeddings if model else 2**31 - 1

    def refuse_engine(key: str, *text: str) -> None:
        refuse((*at, "engine", *key.split(".")), *text)

    engine = engine_args(pool.engine, accelerator, limit, refuse_engine)
    engine = with_policy(engine, _policy_file(part.policy, files), refuse_engine)
    layout = r.Layout(
        pool.tensor_parallel_size,
        pool.pipeline_parallel_size,
        pool.data_parallel_size,
        pool.enable_expert_parallel,
    )
    router = _plugin(pool.router, ("fleet", "pools", part.pool, "router"), files) if pool.router else None
    return r.PoolSpec(
        part.name,
        pool.role,
        pool.replicas,
        accelerator,
        layout,
        engine,
        router,
        pool.step_time,
        part.member,
    )


def _policy_file(at: Place, files: Mapping[Place, Path]) -> Path | None:
    return files.get((*at, "name"), files.get(at))


def _plugin(section: s.PluginSection, at: Place, files: Mapping[Place, Path]) -> r.Plugin:
    path = files.get((*at, "name"), files.get(at))
    return r.Plugin(section.name if path is None else str(path.absolute()), section.options)


def _transfer(section: s.FleetSection) -> r.TransferSpec | None:
    """The link of its name, or one of its own; bandwidth and latency given count before the catalogue's."""
    given = section.transfer
    if given is None:
        return None
    if given.link is not None:
        link: catalog.Link = catalog.load("links", given.link)
    else:
        link = catalog.Link(name="own", bytes_per_s=0.0, latency_s=0.0, source="the scenario", kind="assumed")
    width = link.bytes_per_s if given.bandwidth is None else given.bandwidth
    latency = link.latency_s if given.latency is None else given.latency
    link = replace(link, bytes_per_s=width, latency_s=latency)
    return r.TransferSpec(given.connector, link, *handing(given), per=given.per or "replica")


def _slo(section: s.SloSection | None) -> r.SloSpec | None:
    if section is None:
        return None
    return r.SloSpec(section.ttft, section.tpot, section.itl, section.e2e, section.attainment)


def _run(scenario: s.Scenario, pools: tuple[r.PoolSpec, ...]) -> r.RunSpec:
    run = scenario.run
    prices = {p.accelerator.name: p.accelerator.price_usd_per_hour for p in pools} | scenario.prices
    resample = run.resample
    if resample is None and scenario.workload.trace is not None:
        resample = "blocks" if run.replications > 1 or run.precision is not None else "none"
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
        precision=run.precision,
        precision_of=tuple(run.precision_of or r.PRECISION_OF),
        max_replications=run.max_replications or max(r.MAX_REPLICATIONS, run.replications),
    )
