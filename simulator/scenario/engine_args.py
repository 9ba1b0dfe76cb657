"""An engine's arguments as its release would fill them in on that accelerator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator import catalog
from simulator.errors import InputError
from simulator.plugins import find, options
from simulator.scenario.resolved import EngineArgs, Rules

if TYPE_CHECKING:
    from simulator.scenario.schema import EngineSection

GIB = 2.0**30


ABSENT: dict[str, Any] = {
    "enable_prefix_caching": False,
    "enable_chunked_prefill": False,
    "long_prefill_token_threshold": 0,
    "long_prefill_token_threshold_adaptive": False,
    "async_scheduling": False,
    "scheduler_reserve_full_isl": False,
    "watermark": 0.0,
    "prefill_schedule_interval": 1,
    "max_num_active_seqs": None,
    "preemption_mode": "recompute",
    "swap_space": 0.0,
    "max_prefill_tokens": None,
    "enable_mixed_chunk": False,
    "schedule_conservativeness": 1.0,
}
"""What an argument is where the preset does not have it."""
FACTS = ("version", "planner", "rules")
"""Of the preset, not arguments."""
OPTIONAL = ("num_gpu_blocks_override", "kv_cache_memory_bytes")


def engine_args(
    given: EngineSection, accelerator: catalog.Accelerator, model_limit: int, refuse: Callable[..., None]
) -> EngineArgs:
    """All arguments; `refuse(key, what, allowed)` is told of those that the engine would not start with.

    model_limit: the longest sequence of the model, tokens. Defaults are the preset's (R91, R92).
    """
    preset: catalog.Preset = catalog.load("presets", given.preset)
    chosen = {key: value for key, value in given if value is not None}
    if given.scheduling_policy is not None:
        chosen["scheduling_policy"] = given.scheduling_policy.name
        chosen["scheduling_options"] = given.scheduling_policy.model_extra or {}
    values: dict[str, Any] = {
        **ABSENT,
        **preset.defaults,
        **_with_effect(preset, chosen, refuse),
        "max_model_len": given.max_model_len or model_limit,
    }
    if values["max_model_len"] > model_limit:
        what = f"{given.max_model_len} is over the model's own limit"
        refuse("max_model_len", what, f"up to {model_limit} tokens")
    budget, seqs = _limits(preset, accelerator, values, given)
    values.update(max_num_batched_tokens=budget, max_num_seqs=seqs)
    for key in OPTIONAL:
        values.setdefault(key, None)
    _contradictions(preset, values, given, refuse)
    values.update(preset=preset.name, version=preset.version, planner=preset.planner)
    rules = Rules(**{name: rule["value"] for name, rule in preset.rules.items()})
    return EngineArgs(**values, rules=rules)


def _with_effect(
    preset: catalog.Preset, chosen: dict[str, Any], refuse: Callable[..., None]
) -> dict[str, Any]:
    """Refuses arguments that this engine does not have, unless they say what it does anyway."""
    for key, value in chosen.items():
        if key in ABSENT and key not in preset.defaults and value != ABSENT[key]:
            known = ", ".join(sorted(preset.defaults.keys() & ABSENT.keys()))
            refuse(key, f"has no effect with preset {preset.name}", f"leave it out; it has {known}")
    return chosen


def with_policy(engine: EngineArgs, file: Path | None, refuse: Callable[..., None]) -> EngineArgs:
    """The same arguments with the policy's file in place of its name, its options checked."""
    if file is not None:
        engine = replace(engine, scheduling_policy=str(file.absolute()))
    if engine.scheduling_options:
        try:
            options(
                find("policies", engine.scheduling_policy), engine.scheduling_options, "scheduling_policy"
            )
        except InputError as error:
            for problem in error.problems:
                refuse(problem.where, problem.what, problem.allowed, problem.hint)
    return engine


def written(engine: EngineArgs) -> dict[str, Any]:
    """The arguments as a scenario would give them: those that the preset has, every default filled in."""
    had = catalog.load("presets", engine.preset).defaults
    given = {
        key: value
        for key, value in asdict(engine).items()
        if key not in FACTS and (key in had or key not in ABSENT or value != ABSENT[key])
    }
    options = given.pop("scheduling_options")
    if options:
        given["scheduling_policy"] = {"name": engine.scheduling_policy, **options}
    return {key: value for key, value in given.items() if value is not None}


def tier(preset: catalog.Preset, accelerator: catalog.Accelerator) -> dict[str, Any]:
    """The default limits of the first tier that the accelerator's memory reaches (R91)."""
    gib = accelerator.hbm_bytes / GIB
    for limits in preset.limits:
        if gib >= limits["at_least_gib"] and _is_of(accelerator.name, limits):
            return limits
    raise AssertionError(f"preset {preset.name} has no tier for {gib:.0f} GiB")


def _is_of(accelerator: str, limits: dict[str, Any]) -> bool:
    """Whether a tier is for that accelerator: of the families that it names, if any, and of none excepted."""
    excepted = any(accelerator.startswith(family) for family in limits.get("except", ()))
    only = limits.get("only")
    return not excepted and (only is None or any(accelerator.startswith(family) for family in only))


def _limits(
    preset: catalog.Preset, accelerator: catalog.Accelerator, values: dict[str, Any], given: EngineSection
) -> tuple[int, int]:
    """max_num_batched_tokens and max_num_seqs: those given, else the tier's, made to agree as vLLM does."""
    limits = tier(preset, accelerator)
    seqs = given.max_num_seqs or limits["max_num_seqs"]
    budget = given.max_num_batched_tokens
    if budget is None:
        least = 0 if values["enable_chunked_prefill"] else values["max_model_len"]
        budget = min(max(limits["max_num_batched_tokens"], least), seqs * values["max_model_len"])
    if given.max_num_seqs is None:
        seqs = min(seqs, budget)
    return int(budget), int(seqs)


def _contradictions(
    preset: catalog.Preset, values: dict[str, Any], given: EngineSection, refuse: Callable[..., None]
) -> None:
    budget, seqs, length = (
        values[key] for key in ("max_num_batched_tokens", "max_num_seqs", "max_model_len")
    )
    if budget < seqs:
        refuse("max_num_seqs", f"{seqs} is more than max_num_batched_tokens ({budget})", f"up to {budget}")
    if not values["enable_chunked_prefill"] and budget < length:
        what = f"{budget} is less than max_model_len ({length}), and chunked prefill is off"
        refuse("max_num_batched_tokens", what, f"{length} or more")
    page = values["block_size"]
    if preset.planner == "sglang" and values["enable_chunked_prefill"] and budget % page:
        what = f"{budget} tokens of a chunk are no whole number of pages of {page}"
        refuse("max_num_batched_tokens", what, f"a multiple of {page}")
    share = values["gpu_memory_utilization"]
    for key in ("num_gpu_blocks_override", "kv_cache_memory_bytes"):
        if values[key] and share != preset.defaults["gpu_memory_utilization"]:
            refuse("gpu_memory_utilization", f"has no effect with {key}", "one of the two")
