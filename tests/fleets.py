"""Random small fleets and workloads in which everything happens: preemption, hits, stops, think times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from runs import scenario

from simulator import catalog
from simulator.scenario.engine_args import ABSENT
from simulator.scenario.resolved import Resolved, Rules
from simulator.workload.columns import UNSHARED, Workload, workload


@dataclass(frozen=True)
class Case:
    scenario: Resolved
    load: Workload


def case(seed: int, preset: str = "vllm-0.33") -> Case:
    """The same case for the same seed and preset."""
    rng = np.random.default_rng(seed)
    block = int(rng.choice([1, 4, 16, 16, 32]))
    blocks = int(rng.choice([12, 20, 40, 80, 200])) * 16 // block
    limit = int(
        min(rng.choice([64, 128, 256, 512]), (blocks - 2 * (preset in ("vllm-v0", "sglang"))) * block)
    )
    args = _engine(rng, block, limit)
    if preset != "vllm-0.33":
        args = _as_in(preset, rng, args)
    step_s = rng.choice([0.0, 0.0, 0.01, 2.0**-7])  # the last one makes instants coincide
    made = scenario(
        replicas=int(rng.integers(1, 4)),
        step_s=float(step_s) or None,
        router=str(rng.choice(["round_robin", "random", "least_requests"])),
        num_gpu_blocks_override=blocks + 1,
        **args,
    )
    return Case(made, _load(rng, limit, float(step_s)))


def _engine(rng: np.random.Generator, block: int, limit: int) -> dict[str, Any]:
    seqs = int(rng.choice([1, 2, 4, 8, 32]))
    chunked = bool(rng.random() < 0.85)
    budget = max(seqs, int(rng.choice([8, 16, 64, 256, 1024])), 0 if chunked else limit)
    return {
        "block_size": block,
        "max_model_len": limit,
        "max_num_seqs": seqs,
        "max_num_batched_tokens": budget,
        "enable_chunked_prefill": chunked,
        "enable_prefix_caching": bool(rng.random() < 0.7),
        "async_scheduling": bool(rng.random() < 0.6),
        **_policy(rng),
        "long_prefill_token_threshold": int(rng.choice([0, 0, 0, 7, 40])),
        "watermark": float(rng.choice([0.0, 0.0, 0.1])),
        "scheduler_reserve_full_isl": bool(rng.random() < 0.7),
        "prefill_schedule_interval": int(rng.choice([1, 1, 1, 3])),
    }


def _as_in(preset: str, rng: np.random.Generator, args: dict[str, Any]) -> dict[str, Any]:
    """The same arguments as far as the preset has them, and others of its own."""
    known: catalog.Preset = catalog.load("presets", preset)
    args |= {key: value for key, value in ABSENT.items() if key not in known.defaults}
    if not args["enable_chunked_prefill"]:
        args["max_num_batched_tokens"] = max(args["max_num_batched_tokens"], args["max_model_len"])
    if "watermark" in known.defaults:
        args["watermark"] = float(rng.choice([0.0, 0.01]))
    if "max_prefill_tokens" in known.defaults:
        args["max_num_batched_tokens"] = (
            -(-args["max_num_batched_tokens"] // args["block_size"]) * args["block_size"]
        )
        args |= {"max_prefill_tokens": int(rng.choice([16, 64, 1024]))}
        args |= {
            "enable_mixed_chunk": bool(rng.random() < 0.3),
            "schedule_conservativeness": float(rng.choice([0.1, 1.0])),
        }
    if "preemption_mode" in known.defaults:
        args |= {"preemption_mode": str(rng.choice(["recompute", "swap"])), "swap_space": 4.0e9}
    rules = Rules(**{name: rule["value"] for name, rule in known.rules.items()})
    return args | {"preset": preset, "planner": known.planner, "rules": rules}


AGING = str(Path(__file__).parent / "engine" / "aging.py")
POLICIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("fcfs", {}),
    ("priority", {}),
    ("sjf", {"error": 0.5}),
    ("slack", {"prompt_token_s": 0.001, "output_token_s": 0.01}),
    ("fair", {}),
    (AGING, {"patience_s": 0.05}),
)


def _policy(rng: np.random.Generator) -> dict[str, Any]:
    name, options = POLICIES[int(rng.choice(len(POLICIES), p=[0.5, 0.2, 0.05, 0.05, 0.1, 0.1]))]
    return {"scheduling_policy": name, "scheduling_options": options}


def _load(rng: np.random.Generator, limit: int, step_s: float) -> Workload:
    n = int(rng.choice([20, 60, 120]))
    rate = float(rng.choice([1, 5, 20, 100, 1000]))
    arrival = np.cumsum(rng.exponential(1 / rate, n))
    if step_s and rng.random() < 0.5:
        arrival = np.round(arrival / step_s) * step_s
    prompt = np.clip(rng.lognormal(np.log(rng.choice([8, 30, 60])), 1, n), 1, limit // 2).astype(int)
    output = np.clip(rng.lognormal(np.log(rng.choice([1, 4, 20, 60])), 1, n), 1, limit // 2 - 1).astype(int)
    stops = np.where(rng.random(n) < rng.choice([0.0, 0.5]), rng.integers(0, 20, n), 0)
    columns: dict[str, Any] = {"max_tokens": np.minimum(output + stops, limit - prompt)}
    columns["priority"] = rng.integers(0, 3, n)
    columns["tenant"] = rng.integers(0, 4, n)
    if rng.random() < 0.7:
        columns |= _segments(rng, prompt)
    if rng.random() < 0.3:
        users = int(rng.choice([1, 3, 10]))
        columns["session"] = np.arange(n) % users
        columns["turn"] = np.arange(n) // users
        columns["think_s"] = np.where(columns["turn"] > 0, rng.choice([0.0, step_s, 0.1]), np.nan)
        arrival = np.where(columns["turn"] > 0, arrival[columns["session"]], arrival)
        order = np.argsort(arrival, kind="stable")
        arrival = arrival[order]
        columns |= {name: columns[name][order] for name in ("session", "turn", "think_s")}
    return workload(arrival, prompt, output, **columns)


def _segments(rng: np.random.Generator, prompt: np.ndarray) -> dict[str, Any]:
    """Prompts from a few shared segments, some of them answers that another request generates, and a tail."""
    n = len(prompt)
    ids: list[int] = []
    tokens: list[int] = []
    offset = [0]
    for row in range(n):
        left = int(prompt[row])
        while left:
            pick = rng.random()
            take = left if pick > 0.8 else int(min(left, rng.choice([5, 16, 32, 33])))
            answer = 1000 + int(rng.integers(0, n))
            ids.append(int(rng.integers(1, 4)) if pick < 0.6 else answer if pick < 0.8 else UNSHARED + row)
            tokens.append(take)
            left -= take
        offset.append(len(ids))
    answers = np.where(rng.random(n) < 0.5, 1000 + np.arange(n), 0).astype(np.uint64)
    return {
        "segment_offset": np.array(offset),
        "segment_id": np.array(ids, np.uint64),
        "segment_tokens": np.array(tokens),
        "output_segment": answers,
    }
