"""`sim check` and `sim schema`: what a scenario means, before anything is run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from simulator.cli.options import json_option, quiet_option, scenario_argument, set_option
from simulator.scenario.resolved import ModelSpec, PoolSpec, Resolved, SloSpec, WorkloadSpec


@click.command()
@scenario_argument
@set_option
@json_option
@quiet_option
def check(path: Path, sets: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Check a scenario: print what it means, or every fault with its place."""
    from simulator.scenario.load import load

    scenario = load(path, sets)
    if as_json:
        click.echo(json.dumps({"hash": scenario.hash, "scenario": scenario.document}, indent=2))
    elif not quiet:
        _print(scenario)


@click.command()
def schema() -> None:
    """Print the JSON Schema of a scenario file.

    For completion in an editor: sim schema > scenario.schema.json, then begin the file with
    "# yaml-language-server: $schema=scenario.schema.json".
    """
    from simulator.scenario.json_schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _print(scenario: Resolved) -> None:
    rows = list(_brief(scenario))
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
    return f"synthetic {synthetic.get('name', '')}".strip()


def _pool(pool: PoolSpec) -> str:
    gpus = pool.replicas * pool.layout.accelerators
    layout = f"tensor parallel {pool.layout.tensor_parallel_size}"
    return f"{pool.replicas} × {layout} on {pool.accelerator.name} ({gpus} accelerators)"


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
