"""Make a failing case as small as it goes while it still fails."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

Case = dict[str, Any]
PLAIN = {
    "max_num_active_seqs": None,
    "enable_chunked_prefill": True,
    "enable_prefix_caching": True,
    "long_prefill_token_threshold": 0,
    "long_prefill_token_threshold_adaptive": False,
    "policy": "fcfs",
    "async_scheduling": False,
    "scheduler_reserve_full_isl": True,
    "watermark": 0.0,
    "prefill_schedule_interval": 1,
    "kv_role": None,
}


def shrink(case: Case, fails: Callable[[Case], bool]) -> Case:
    """The smallest case found by dropping and shortening for which `fails` is still true."""
    while True:
        smaller = next((other for other in _smaller(case) if fails(other)), None)
        if smaller is None:
            return case
        case = smaller


def _smaller(case: Case) -> Iterator[Case]:
    """Cases that are simpler by one thing, the largest cuts first."""
    for i in range(len(case["requests"]) - 1, -1, -1):
        if len(case["requests"]) > 1:
            yield _with_rows(case, case["requests"][:i] + case["requests"][i + 1 :])
    for key, plain in PLAIN.items():
        if case["config"][key] != plain:
            yield {**case, "config": case["config"] | {key: plain}}
    if case.get("private"):
        yield {**case, "private": []}
    for i, row in enumerate(case["requests"]):
        for smaller in _smaller_rows(row, case["config"]["block_size"]):
            yield _with_rows(case, [*case["requests"][:i], smaller, *case["requests"][i + 1 :]])
    for key in ("num_gpu_blocks", "max_num_batched_tokens", "max_num_seqs", "max_model_len"):
        yield from _smaller_number(case, key)


def _with_rows(case: Case, rows: list[dict[str, Any]]) -> Case:
    return {**case, "requests": rows}


def _smaller_rows(row: dict[str, Any], block: int) -> Iterator[dict[str, Any]]:
    for key in ("max_tokens", "send_steps", "remote_prefill_steps"):
        if key in row:
            yield {name: value for name, value in row.items() if name != key}
    for key, least in (("arrival_step", 0), ("output_len", 1), ("priority", 0)):
        for value in _smaller_values(row[key], least, block):
            yield row | {key: value}
    for prompt in _smaller_prompts(row["prompt"], block):
        yield row | {"prompt": prompt, "prompt_len": sum(length for _, length in prompt)}


def _smaller_prompts(prompt: list[list[int]], block: int) -> Iterator[list[list[int]]]:
    for i in range(len(prompt)):
        if len(prompt) > 1:
            yield prompt[:i] + prompt[i + 1 :]
        for value in _smaller_values(prompt[i][1], 1, block):
            changed = copy.deepcopy(prompt)
            changed[i][1] = value
            yield changed


def _smaller_values(value: int, least: int, block: int) -> Iterator[int]:
    for smaller in dict.fromkeys((least, value // 2, value - block, value - 1)):
        if least <= smaller < value:
            yield smaller


def _smaller_number(case: Case, key: str) -> Iterator[Case]:
    config = case["config"]
    longest = max(row["prompt_len"] for row in case["requests"]) + 1
    for value in _smaller_values(config[key], longest if key == "max_model_len" else 1, 2):
        changed = config | {key: value}
        if changed["num_gpu_blocks"] > -(-changed["max_model_len"] // changed["block_size"]):
            yield {**case, "config": changed}
