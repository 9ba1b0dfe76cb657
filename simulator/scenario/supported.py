"""What a scenario may say that this release cannot simulate yet: refused, never ignored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulator import catalog
from simulator.errors import Problem
from simulator.scenario.members import parts
from simulator.scenario.positions import Node, Place, place


def unsupported(scenario: Any, document: Node) -> list[Problem]:
    """A problem for each thing of a valid Scenario that this release does not simulate."""
    return [
        Problem(str(place(document, path)), f"not supported yet: {what}", allowed)
        for path, what, allowed in _found(scenario)
    ]


def _found(scenario: Any) -> Iterator[tuple[Place, str, str]]:
    for part in parts(scenario.fleet.pools):
        pool, at = part.section, part.at
        if pool.role != "both" and catalog.load("presets", pool.engine.preset).planner != "vllm_v1":
            what = f"a {pool.role} pool under preset {pool.engine.preset}"
            yield (*at, "engine", "preset"), what, "a preset of vLLM V1, such as vllm-0.33"
        if pool.pipeline_parallel_size > 1:
            yield from _pipeline(pool, at)
        if pool.data_parallel_size > 1:
            yield from _ranks(pool, at)


def _ranks(pool: Any, at: Place) -> Iterator[tuple[Place, str, str]]:
    key = (*at, "data_parallel_size")
    if "balancer" not in catalog.load("presets", pool.engine.preset).rules:
        what = f"data_parallel_size over 1 under preset {pool.engine.preset}"
        yield key, what, "1, with replicas, or a preset from vllm-0.11 on"
    if pool.pipeline_parallel_size > 1:
        yield key, "data_parallel_size over 1 with pipeline_parallel_size over 1", "one of the two"
    if (pool.engine.prefill_schedule_interval or 1) > 1:
        yield key, "data_parallel_size over 1 with prefill_schedule_interval over 1", "one of the two"


def _pipeline(pool: Any, at: Place) -> Iterator[tuple[Place, str, str]]:
    """Of a pool whose replicas are pipelines."""
    key, preset = (*at, "pipeline_parallel_size"), catalog.load("presets", pool.engine.preset)
    if preset.planner != "vllm_v1":
        what = f"pipeline_parallel_size over 1 under preset {preset.name}"
        yield key, what, "1, or a preset of vLLM V1, such as vllm-0.33"
        return
    given = pool.engine.async_scheduling
    is_async = preset.defaults["async_scheduling"] if given is None else given
    if is_async and preset.rules["async_pipeline"]["value"] == "none":
        what = f"asynchronous scheduling of a pipeline under preset {preset.name}"
        yield (*at, "engine", "async_scheduling"), what, "false"
