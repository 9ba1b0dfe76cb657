"""An engine's arguments as its release would fill them in on that accelerator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator import catalog
from simulator.scenario.resolved import EngineArgs

if TYPE_CHECKING:
    from simulator.scenario.schema import EngineSection

GIB = 2.0**30


def engine_args(
    given: EngineSection, accelerator: catalog.Accelerator, model_limit: int, refuse: Callable[..., None]
) -> EngineArgs:
    """All arguments; `refuse(key, what, allowed)` is told of those that the engine would not start with.

    model_limit: the longest sequence of the model, tokens. Defaults as vLLM's: SPEC sections R91 and R92.
    """
    preset: catalog.Preset = catalog.load("presets", given.preset)
    chosen = {key: value for key, value in given if value is not None}
    values: dict[str, Any] = {
        **preset.defaults,
        **chosen,
        "max_model_len": given.max_model_len or model_limit,
    }
    if values["max_model_len"] > model_limit:
        what = f"{given.max_model_len} is over the model's own limit"
        refuse("max_model_len", what, f"up to {model_limit} tokens")
    budget, seqs = _limits(preset, accelerator, values, given)
    values.update(max_num_batched_tokens=budget, max_num_seqs=seqs)
    for key in ("max_num_active_seqs", "num_gpu_blocks_override", "kv_cache_memory_bytes"):
        values.setdefault(key, None)
    _contradictions(preset, values, given, refuse)
    values.update(preset=preset.name, version=preset.version, planner=preset.planner)
    return EngineArgs(**values)


def tier(preset: catalog.Preset, accelerator: catalog.Accelerator) -> dict[str, Any]:
    """The default limits of the first tier that the accelerator's memory reaches (R91)."""
    gib = accelerator.hbm_bytes / GIB
    for limits in preset.limits:
        excepted = any(accelerator.name.startswith(family) for family in limits["except"])
        if gib >= limits["at_least_gib"] and not excepted:
            return limits
    raise AssertionError(f"preset {preset.name} has no tier for {gib:.0f} GiB")


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
    share = values["gpu_memory_utilization"]
    for key in ("num_gpu_blocks_override", "kv_cache_memory_bytes"):
        if values[key] and share != preset.defaults["gpu_memory_utilization"]:
            refuse("gpu_memory_utilization", f"has no effect with {key}", "one of the two")
