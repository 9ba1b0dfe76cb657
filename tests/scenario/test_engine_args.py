"""Defaults of the engine release, by the accelerator's memory, as `vllm serve` 0.33 fills them in."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator import catalog
from simulator.errors import InputError
from simulator.scenario.load import load
from simulator.scenario.resolved import EngineArgs

ENGINE = "fleet.pools.serve.engine"


def args(minimal: Path, *sets: str) -> EngineArgs:
    return load(minimal, sets).fleet.pools[0].engine


@pytest.mark.parametrize(
    ("accelerator", "tokens", "seqs"),
    [
        ("b200", 16384, 1024),
        ("mi300x", 16384, 1024),
        ("h200-sxm", 8192, 1024),
        ("h100-sxm", 8192, 1024),
        ("a100-sxm-80", 2048, 256),
        ("l40s", 2048, 256),
    ],
)
def test_limits_by_device_memory(minimal: Path, accelerator: str, tokens: int, seqs: int) -> None:
    found = args(minimal, f"fleet.pools.serve.accelerator={accelerator}")
    assert (found.max_num_batched_tokens, found.max_num_seqs) == (tokens, seqs)


@pytest.mark.parametrize("name", catalog.names("accelerators"))
def test_every_accelerator_has_a_tier(minimal: Path, name: str) -> None:
    assert args(minimal, f"fleet.pools.serve.accelerator={name}").max_num_seqs in (256, 1024)


def test_other_defaults(minimal: Path) -> None:
    found = args(minimal)
    assert (found.preset, found.version, found.planner) == ("vllm-0.33", "0.33.0", "vllm_v1")
    assert (found.block_size, found.gpu_memory_utilization, found.watermark) == (16, 0.92, 0.0)
    assert (found.enable_chunked_prefill, found.enable_prefix_caching) == (True, True)
    assert (found.async_scheduling, found.scheduler_reserve_full_isl) == (True, True)
    assert (found.scheduling_policy, found.long_prefill_token_threshold) == ("fcfs", 0)
    assert found.max_model_len == 131072
    assert found.num_gpu_blocks_override is None


def test_without_chunked_prefill_the_budget_holds_a_whole_prompt(minimal: Path) -> None:
    found = args(minimal, f"{ENGINE}.enable_chunked_prefill=false", f"{ENGINE}.max_model_len=30000")
    assert found.max_num_batched_tokens == 30_000


def test_the_budget_is_at_most_what_all_sequences_can_hold(minimal: Path) -> None:
    found = args(minimal, f"{ENGINE}.max_num_seqs=4", f"{ENGINE}.max_model_len=100")
    assert found.max_num_batched_tokens == 400


def test_default_sequences_are_at_most_the_budget(minimal: Path) -> None:
    assert args(minimal, f"{ENGINE}.max_num_batched_tokens=64").max_num_seqs == 64


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (
            ["max_num_seqs=9", "max_num_batched_tokens=8"],
            "max_num_batched_tokens: 8 is less than max_num_seqs (9)",
        ),
        (["max_num_seqs=9000"], "max_num_seqs: 9000 is more than max_num_batched_tokens (8192)"),
        (
            ["max_model_len=131073"],
            "max_model_len: 131073 is over the model's own limit; allowed: up to 131072",
        ),
        (
            ["enable_chunked_prefill=false", "max_num_batched_tokens=9999"],
            "9999 is less than max_model_len (131072), and chunked prefill is off",
        ),
        (
            ["gpu_memory_utilization=0.5", "num_gpu_blocks_override=9"],
            "has no effect with num_gpu_blocks_override",
        ),
        (
            ["gpu_memory_utilization=0.5", "kv_cache_memory_bytes=1 GB"],
            "has no effect with kv_cache_memory_bytes",
        ),
        (
            ["num_gpu_blocks_override=99", "kv_cache_memory_bytes=1 GB"],
            "has no effect with num_gpu_blocks_override",
        ),
        (
            ["long_prefill_token_threshold_adaptive=true"],
            "has no effect without long_prefill_token_threshold",
        ),
        (["watermark=1"], "watermark: 1 is wrong"),
        (["block_size=0"], "block_size: 0 is wrong"),
    ],
)
def test_what_the_engine_would_not_start_with(minimal: Path, sets: list[str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        args(minimal, *(f"{ENGINE}.{text}" for text in sets))
    assert said in str(caught.value)
    assert len(caught.value.problems) == 1
