"""A small engine of our own, to make rows with: continuous batching with fixed costs, one request at a time or many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest

from simulator.catalog import Accelerator, Model
from simulator.results.record import Recorder
from simulator.results.run import RunResult, assemble
from simulator.results.timeline import ReplicaFacts
from simulator.scenario import resolved as spec
from simulator.units import on_grid


@dataclass
class Costs:
    prefill_s: float = 0.02
    base_s: float = 0.010
    per_token_s: float = 1e-6
    max_num_seqs: int = 16


FACTS = ReplicaFacts("serve/0", "serve", 1, 989.4e12, 3.35e12, 4096)


def workload_table(arrival: np.ndarray, prompt: np.ndarray, output: np.ndarray) -> pa.Table:
    """The columns that a workload brings, as far as results read them."""
    n = len(arrival)
    return pa.table(
        {
            "arrival_s": arrival,
            "prompt_tokens": prompt.astype(np.int32),
            "output_tokens": output.astype(np.int32),
            "max_tokens": output.astype(np.int32),
            "session": np.full(n, -1, np.int32),
            "turn": np.full(n, -1, np.int32),
        }
    )


def serve(table: pa.Table, recorder: Recorder, costs: Costs, replica: int, rows: list[int]) -> None:
    """First come, first served, on one replica: one mixed step admits all that fit, then decode steps."""
    arrival, prompt, output = (
        table[name].to_pylist() for name in ("arrival_s", "prompt_tokens", "output_tokens")
    )
    running: dict[int, list[float]] = {}
    now, ahead = 0.0, list(rows)
    while ahead or running:
        if not running:
            now = max(now, arrival[ahead[0]])
        fits = costs.max_num_seqs - len(running)
        new = [row for row in ahead[:fits] if arrival[row] <= now]
        ahead = ahead[len(new) :]
        decodes, context = len(running), int(sum(state[2] for state in running.values()))
        if new:
            tokens = sum(prompt[row] for row in new)
            steps, base, per_token = 1, on_grid(costs.prefill_s * len(new)), 0.0
        else:
            tokens, base, per_token = 0, costs.base_s, costs.per_token_s
            left = [int(output[row] - state[1]) for row, state in running.items()]
            steps = 1 if ahead and len(running) < costs.max_num_seqs else min(left)
        total = steps * context + decodes * steps * (steps - 1) // 2
        end = now + on_grid(steps * base + per_token * total)
        flops, moved = 1e10 * (tokens + decodes * steps), 1.6e10 * steps
        recorder.step_runs.append(
            (replica, now, steps, decodes, context, tokens, 0, len(new), decodes + len(new), base, per_token,
             len(running), len(running), flops, moved, len(new), 0)
        )  # fmt: skip
        for row in running:
            running[row][1] += steps
            running[row][2] += steps
        for row in new:
            running[row] = [now, 1, prompt[row] + 1, end]
        now = end
        for row in [row for row in running if running[row][1] >= output[row]]:
            start, emitted, _, *first = running.pop(row)
            recorder.requests.append((row, 0, replica, start, first[0], now, int(emitted), 0, 0))


@pytest.fixture(scope="session")
def accelerator() -> Accelerator:
    return Accelerator(
        name="h100-sxm", vendor="NVIDIA", architecture="hopper", peak_flops={"bf16": 989.4e12, "fp8": 1978.9e12},
        hbm_bytes=85e9, hbm_bytes_per_s=3.35e12, sms=132, scaleup_bytes_per_s=450e9, scaleup_kind="nvlink",
        scaleup_size=8, pcie_bytes_per_s=64e9, tdp_w=700.0, price_usd_per_hour=3.0, kind="datasheet", sources={},
    )  # fmt: skip


@pytest.fixture(scope="session")
def scenario(accelerator: Accelerator) -> spec.Resolved:
    model = Model(
        name="llama-3.1-8b", hidden_size=4096, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8,
        head_dim=128, intermediate_size=14336, vocab_size=128256, dense_layers=32, full_attention_layers=32,
        sliding_layers=0, tie_word_embeddings=False, max_position_embeddings=131072, source="config.json",
    )  # fmt: skip
    engine = spec.EngineArgs(
        preset="vllm-0.33", version="0.33", planner="vllm_v1", max_num_batched_tokens=8192, max_num_seqs=256,
        max_num_active_seqs=None, max_model_len=131072, block_size=16, enable_chunked_prefill=True,
        enable_prefix_caching=True, long_prefill_token_threshold=0, long_prefill_token_threshold_adaptive=False,
        scheduling_policy="fcfs", async_scheduling=False, scheduler_reserve_full_isl=True, watermark=0.0,
        prefill_schedule_interval=1, enforce_eager=False, gpu_memory_utilization=0.9, num_gpu_blocks_override=4096,
        kv_cache_memory_bytes=None,
    )  # fmt: skip
    pool = spec.PoolSpec("serve", "both", 1, accelerator, spec.Layout(), engine, None, None)
    return spec.Resolved(
        name="test",
        seed=7,
        model=spec.ModelSpec(model, "none", "bf16", "bf16", "bf16"),
        workload=spec.WorkloadSpec(None, None, {}, {"name": "poisson"}, 1.0, None, "error", False),
        fleet=spec.FleetSpec(spec.Plugin("round_robin"), (pool,), None),
        slo=spec.SloSpec(2.0, 0.05, None, None, 0.99),
        run=spec.RunSpec(None, None, 1, 0.95, None, {}),
        document={"name": "test", "seed": 7},
        hash="0123456789abcdef" * 4,
    )


Simulate = Callable[..., RunResult]


@pytest.fixture(scope="session")
def fake_run(scenario: spec.Resolved) -> Simulate:
    """run(rate, n, seed=…, replicas=…, costs=…, keep_steps=…) → RunResult of the small engine."""

    def run(rate: float, n: int, **options: object) -> RunResult:
        replicas = int(options.get("replicas", 1))  # type: ignore[call-overload]
        rng = np.random.default_rng(options.get("seed", 0))  # type: ignore[arg-type]
        arrival = np.array([on_grid(t) for t in np.cumsum(rng.exponential(1 / rate, n))])
        table = workload_table(
            arrival, rng.integers(1, 500, n), rng.integers(1, options.get("output", 40), n)
        )
        facts = [ReplicaFacts(f"serve/{i}", "serve", 1, 989.4e12, 3.35e12, 4096) for i in range(replicas)]
        recorder = Recorder(n, facts, keep_steps=bool(options.get("keep_steps")), bin_s=options.get("bin_s"))
        recorder.sent_s = arrival
        for replica in range(replicas):
            serve(table, recorder, options.get("costs", Costs()), replica, list(range(replica, n, replicas)))
        return assemble(
            options.get("scenario", scenario), table, recorder, replication=options.get("replication", 0)
        )

    return run
