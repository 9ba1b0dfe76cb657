"""`sim check` and `sim schema`: what a scenario means, before anything is run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.options import json_option, quiet_option, scenario_argument, set_option
from simulator.errors import InputError, Problem
from simulator.scenario.resolved import ModelSpec, PoolSpec, Resolved, SloSpec, WorkloadSpec

if TYPE_CHECKING:
    from simulator.cost.memory import Memory
    from simulator.workload.columns import Workload


@click.command()
@scenario_argument
@set_option
@json_option
@quiet_option
def check(path: Path, sets: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Check a scenario without running it: print what it means, or every fault with its place.

    Its model must fit the accelerators' memory, and its workload is built, so that a bad row of a trace or a
    request over the model's limit shows.
    """
    from simulator.fleet.routing import check as check_routers
    from simulator.scenario.load import load

    scenario = load(path, sets)
    check_routers(scenario)
    memory, requests = _memory(scenario), _requests(scenario)
    if as_json:
        click.echo(json.dumps(_as_json(scenario, memory, requests), indent=2))
    elif not quiet:
        _print([*_brief(scenario), *_fit(memory), ("requests", _traffic(requests))])


@click.command()
@json_option
@quiet_option
def schema(as_json: bool, quiet: bool) -> None:
    """Print the JSON Schema of a scenario file: the result is JSON and nothing else, with or without --json
    and --quiet.

    For completion in an editor: sim schema > scenario.schema.json, then begin the file with
    "# yaml-language-server: $schema=scenario.schema.json".
    """
    from simulator.scenario.json_schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _memory(scenario: Resolved) -> dict[str, Memory]:
    """Of each pool whose memory matters. Raises InputError with every pool that the model does not fit."""
    from simulator.cost.memory import fit

    found: dict[str, Memory] = {}
    problems: list[Problem] = []
    for pool in scenario.fleet.pools:
        if pool.step_s is not None and pool.engine.num_gpu_blocks_override is not None:
            continue
        where = scenario.places[pool.key]
        try:
            found[pool.name] = fit(scenario.model, pool.accelerator, pool.layout, pool.engine, where)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return found


def _requests(scenario: Resolved) -> Workload:
    """The workload as it would be run. Raises InputError for what is wrong with it, at its place."""
    from simulator.scenario.places import positioned
    from simulator.workload.build import build

    limit = min(pool.engine.max_model_len for pool in scenario.fleet.pools)
    try:
        return build(scenario.workload, scenario.seed, 0, limit)
    except InputError as error:
        raise positioned(error, scenario.places) from None


def _as_json(scenario: Resolved, memory: dict[str, Memory], requests: Workload) -> dict[str, Any]:
    return {
        "hash": scenario.hash,
        "scenario": scenario.document,
        "memory": {name: asdict(found) for name, found in memory.items()},
        "requests": len(requests),
        "prompt_tokens": int(requests.prompt_tokens.sum()),
        "output_tokens": int(requests.output_tokens.sum()),
    }


def _fit(memory: dict[str, Memory]) -> Iterator[tuple[str, str]]:
    for name, found in memory.items():
        shares = f"weights {found.weight_bytes / 1e9:.1f} GB, KV cache {found.kv_bytes / 1e9:.1f} GB"
        yield (
            f"memory {name}",
            f"{shares} of {found.hbm_bytes / 1e9:.1f} GB: {found.kv_tokens:,} tokens a replica",
        )


def _traffic(requests: Workload) -> str:
    prompt, output = requests.prompt_tokens.mean(), requests.output_tokens.mean()
    seconds = float(requests.arrival_s[-1]) if len(requests) else 0.0
    rate = f", {(len(requests) - 1) / seconds:.3g} /s" if seconds else ""
    return f"{len(requests):,}{rate}, prompts of {prompt:,.0f} and outputs of {output:,.0f} tokens on average"


def _print(rows: list[tuple[str, str]]) -> None:
    width = max(len(label) for label, _ in rows)
    for label, text in rows:
        click.echo(f"{label.ljust(width)}  {text}")


def _brief(scenario: Resolved) -> Iterator[tuple[str, str]]:
    yield "scenario", f"{scenario.name} (seed {scenario.seed}, hash {scenario.hash[:12]})"
    yield "model", _model(scenario.model)
    yield "workload", _workload(scenario.workload, scenario.document["workload"])
    yield "router", scenario.fleet.router.name
    for pool in scenario.fleet.pools:
        yield f"pool {pool.name}", _pool(pool)
        yield "", _engine(pool)
    if scenario.slo:
        yield "slo", _slo(scenario.slo)


def _model(model: ModelSpec) -> str:
    return f"{model.shape.name}, weights {model.weight_dtype}, KV cache {model.kv_dtype}"


def _workload(workload: WorkloadSpec, document: dict[str, Any]) -> str:
    synthetic = workload.synthetic or {}
    parts = [f"trace {document['trace']}" if workload.trace else _synthetic(synthetic)]
    if workload.rate_scale != 1:
        parts.append(f"arrivals {workload.rate_scale:g} × as fast")
    if workload.limit:
        parts.append(f"the first {workload.limit:,} requests")
    if workload.over_limit != "error":
        parts.append(f"over the model's limit: {workload.over_limit}")
    return ", ".join(parts)


def _synthetic(synthetic: dict[str, Any]) -> str:
    arrivals = synthetic["arrivals"]
    size = f"{arrivals['concurrency']} users" if "concurrency" in arrivals else f"{arrivals['rate']:g} /s"
    return f"synthetic {synthetic.get('name', '')}".strip() + f", {arrivals['kind']} arrivals, {size}"


def _pool(pool: PoolSpec) -> str:
    gpus = pool.replicas * pool.layout.accelerators
    layout = f"tensor parallel {pool.layout.tensor_parallel_size}"
    if pool.layout.data_parallel_size > 1:
        layout += f" × data parallel {pool.layout.data_parallel_size}"
    return f"{pool.replicas} × {layout} on {pool.accelerator.name} ({gpus} accelerator{'s' * (gpus > 1)})"


def _engine(pool: PoolSpec) -> str:
    engine = pool.engine
    limits = f"{engine.max_num_batched_tokens} tokens and {engine.max_num_seqs} requests a step"
    return f"{engine.preset}, {limits}, up to {engine.max_model_len} tokens a request"


def _duration(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{1000 * seconds:g} ms"


def _slo(slo: SloSpec) -> str:
    bounds = {"ttft": slo.ttft_s, "tpot": slo.tpot_s, "itl": slo.itl_s, "e2e": slo.e2e_s}
    shown = ", ".join(f"{name} ≤ {_duration(value)}" for name, value in bounds.items() if value is not None)
    return f"{shown} for {slo.attainment:.4g} of the requests"
