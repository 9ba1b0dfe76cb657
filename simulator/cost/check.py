"""What cannot work, said before anything runs: layouts, quantisations and lengths that a model or
accelerator forbids."""

from __future__ import annotations

from collections.abc import Callable

from simulator.catalog import Accelerator, Model
from simulator.cost import precision
from simulator.errors import Problem
from simulator.scenario.resolved import EngineArgs, Layout, ModelSpec

MAX_RANKS = 1024


def problems(
    model: ModelSpec, accelerator: Accelerator, layout: Layout, engine: EngineArgs, where: str = ""
) -> list[Problem]:
    """Every problem of this combination, each with the nearest layout that works; [] if there is none."""
    found = precision.problems(model, accelerator, where)
    found += _tensor_parallel(model.shape, accelerator, layout, where)
    found += _pipeline(model.shape, layout, where)
    found += _experts(model.shape, layout, where)
    return found + _length(model.shape, engine, where)


def divides(model: Model, tp: int, layout: Layout) -> str:
    """Why the model cannot be cut into `tp` parts in a layout that is otherwise this one; "" if it can."""
    cut = 1 if layout.expert_parallel else tp * layout.data_parallel_size
    kv = model.num_key_value_heads
    if model.num_attention_heads % tp:
        return f"{model.num_attention_heads} attention heads"
    if not model.kv_lora_rank and kv % tp and tp % kv:
        return f"{kv} key/value heads"
    if model.dense_layers and model.intermediate_size % tp:
        return f"an intermediate size of {model.intermediate_size}"
    if model.moe_layers and model.moe_intermediate_size % cut:
        return f"an expert size of {model.moe_intermediate_size} (over {cut} ranks)"
    if model.linear_attention_layers and model.linear_num_value_heads % tp:
        return f"{model.linear_num_value_heads} linear-attention heads"
    return ""


def nearest(wanted: int, limit: int, works: Callable[[int], bool]) -> int | None:
    """The number in 1…limit that works and is nearest to `wanted`, the larger on a tie."""
    fitting = [count for count in range(1, limit + 1) if works(count)]
    return min(fitting, key=lambda count: (abs(count - wanted), -count), default=None)


def _tensor_parallel(model: Model, accelerator: Accelerator, layout: Layout, where: str) -> list[Problem]:
    tp = layout.tensor_parallel_size
    reason = divides(model, tp, layout)
    limit = accelerator.scaleup_size
    if reason:
        what = f"tensor_parallel_size {tp} does not divide {reason} of {model.name}"
    elif tp > limit:
        what = (
            f"tensor_parallel_size {tp} exceeds the {limit} accelerators that share {accelerator.name}'s link"
        )
    else:
        return []
    count = nearest(tp, limit, lambda size: not divides(model, size, layout))
    fitting = [str(size) for size in range(1, min(limit, MAX_RANKS) + 1) if not divides(model, size, layout)]
    return [Problem(where, what, ", ".join(fitting[:12]), f"the nearest that works is {count}")]


def _pipeline(model: Model, layout: Layout, where: str) -> list[Problem]:
    pp, layers = layout.pipeline_parallel_size, model.num_hidden_layers
    if pp <= layers:
        return []
    what = f"pipeline_parallel_size {pp} exceeds the {layers} layers of {model.name}"
    return [Problem(where, what, f"1 to {layers}", f"the nearest that works is {layers}")]


def _experts(model: Model, layout: Layout, where: str) -> list[Problem]:
    if not layout.expert_parallel:
        return []
    if not model.moe_layers:
        return [Problem(where, f"enable_expert_parallel has no effect: {model.name} has no experts", "false")]
    ranks, experts = layout.tensor_parallel_size * layout.data_parallel_size, model.num_experts
    if experts % ranks == 0:
        return []
    what = f"{experts} experts of {model.name} cannot be spread evenly over {ranks} ranks (TP × DP)"
    count = nearest(ranks, experts, lambda size: experts % size == 0)
    return [Problem(where, what, f"a divisor of {experts}", f"the nearest that works is {count} ranks")]


def _length(model: Model, engine: EngineArgs, where: str) -> list[Problem]:
    longest = model.max_position_embeddings
    if engine.max_model_len <= longest:
        return []
    what = f"max_model_len {engine.max_model_len} exceeds the {longest} positions of {model.name}"
    return [Problem(where, what, f"1 to {longest}", f"max_model_len: {longest}")]
