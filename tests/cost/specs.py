"""Settings for tests: a model as served, an engine and a cost model by name."""

from __future__ import annotations

from typing import Any

from simulator.catalog import load
from simulator.cost import roofline
from simulator.scenario.resolved import EngineArgs, Layout, ModelSpec

DTYPES = {
    "none": ("bf16", "bf16"),
    "fp8": ("fp8", "fp8"),
    "fp8_block": ("fp8", "fp8"),
    "w8a16": ("int8", "bf16"),
    "int8": ("int8", "int8"),
    "int4": ("int4", "bf16"),
    "fp4": ("fp4", "fp4"),
}


def served(name: str = "llama-3.1-8b", quantization: str = "none", kv_dtype: str = "bf16") -> ModelSpec:
    weights, activations = DTYPES[quantization]
    return ModelSpec(load("models", name), quantization, weights, activations, kv_dtype)


def engine(**changes: Any) -> EngineArgs:
    settings: dict[str, Any] = {
        "preset": "vllm-0.33",
        "version": "0.33.0",
        "planner": "vllm_v1",
        "max_num_batched_tokens": 8192,
        "max_num_seqs": 1024,
        "max_num_active_seqs": None,
        "max_model_len": 4096,
        "block_size": 16,
        "enable_chunked_prefill": True,
        "enable_prefix_caching": True,
        "long_prefill_token_threshold": 0,
        "long_prefill_token_threshold_adaptive": False,
        "scheduling_policy": "fcfs",
        "async_scheduling": True,
        "scheduler_reserve_full_isl": True,
        "watermark": 0.0,
        "prefill_schedule_interval": 1,
        "enforce_eager": False,
        "gpu_memory_utilization": 0.92,
        "num_gpu_blocks_override": None,
        "kv_cache_memory_bytes": None,
    }
    return EngineArgs(**{**settings, **changes})


def cost(
    name: str = "llama-3.1-8b",
    quantization: str = "none",
    accelerator: str = "h100-sxm",
    layout: Layout | None = None,
    *,
    kv_dtype: str = "bf16",
    correction: str = "measured",
    **changes: Any,
) -> roofline.Roofline:
    return roofline.build(
        served(name, quantization, kv_dtype),
        load("accelerators", accelerator),
        layout or Layout(),
        engine(**changes),
        correction=correction,
    )
