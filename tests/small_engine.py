"""A small engine of our own, to make rows with: continuous batching at fixed costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from simulator.catalog import Accelerator, Model
from simulator.results.record import Recorder
from simulator.results.run import RunResult, assemble
from simulator.results.timeline import ReplicaFacts
from simulator.scenario import resolved as spec
from simulator.units import on_grid

FakeRun = Callable[..., RunResult]

PREFILL_S, BASE_S, PER_TOKEN_S, SEQUENCES = 0.02, 0.010, 1e-6, 16
FLOPS, BANDWIDTH, BLOCKS = 989.4e12, 3.35e12, 4096


@dataclass
class Serving:
    """A request on the replica: tokens emitted and in context, when it was admitted and first answered."""

    emitted: int
    context: int
    start_s: float
    first_s: float


def request_row(
    row: int, state: int, replica: int, scheduled_s: float, token_s: float, finish_s: float, emitted: int
) -> tuple[float, ...]:
    """A request served by one replica, as RequestRow: no hits, no preemption, all of its prefill its own."""
    own = 0.0 if np.isnan(token_s) else token_s - scheduled_s
    nan = np.nan
    times = (scheduled_s, nan, nan, nan, nan, token_s, finish_s)
    return (row, state, replica, -1, *times, emitted, 0, 0, own, 0.0, 0.0)


def workload_table(arrival: np.ndarray, prompt: np.ndarray, output: np.ndarray) -> pa.Table:
    """The columns that every workload brings."""
    whole = {"prompt_tokens": prompt.astype(np.int32), "output_tokens": output.astype(np.int32)}
    return pa.table({"arrival_s": arrival, **whole})


def serve(table: pa.Table, recorder: Recorder, replica: int, rows: list[int]) -> None:
    """First come, first served: a step admits all that fit beside the decodes, then steps only decode."""
    arrival, prompt, output = (table[name].to_pylist() for name in table.column_names)
    running: dict[int, Serving] = {}
    now, ahead = 0.0, list(rows)
    while ahead or running:
        if not running:
            now = max(now, arrival[ahead[0]])
        new = [row for row in ahead[: SEQUENCES - len(running)] if arrival[row] <= now]
        ahead = ahead[len(new) :]
        full = len(running) == SEQUENCES or not ahead
        left = [output[row] - one.emitted for row, one in running.items()]
        steps = 1 if new or not full else min(left)
        start, now = (
            now,
            step(recorder, replica, now, steps, list(running.values()), [prompt[row] for row in new]),
        )
        for one in running.values():
            one.emitted += steps
            one.context += steps
        running |= {row: Serving(1, prompt[row] + 1, start, now) for row in new}
        for row in [row for row, one in running.items() if one.emitted >= output[row]]:
            one = running.pop(row)
            recorder.requests.append(request_row(row, 0, replica, one.start_s, one.first_s, now, one.emitted))


def step(
    recorder: Recorder, replica: int, now: float, steps: int, running: list[Serving], prompts: list[int]
) -> float:
    """Records one mixed step, or a run of steps that only decode; when it ends."""
    decodes, context = len(running), sum(one.context for one in running)
    base, per_token = (on_grid(PREFILL_S * len(prompts)), 0.0) if prompts else (BASE_S, PER_TOKEN_S)
    tokens = steps * context + decodes * steps * (steps - 1) // 2
    flops, moved = 1e10 * (sum(prompts) + decodes * steps), 1.6e10 * steps
    recorder.step_runs.append(
        (replica, now, steps, decodes, context, sum(prompts), 0, len(prompts), decodes + len(prompts), base,
         per_token, decodes, decodes, flops, moved, len(prompts), 0)
    )  # fmt: skip
    return now + on_grid(steps * base + per_token * tokens)


def make_run(scenario: spec.Resolved) -> FakeRun:
    """run(rate, n, seed=0, replicas=1, output=40, …) → RunResult of the small engine."""

    def run(
        rate: float,
        n: int,
        *,
        seed: int = 0,
        replicas: int = 1,
        output: int = 40,
        replication: int = 0,
        **how: Any,
    ) -> RunResult:
        rng = np.random.default_rng(seed)
        arrival = np.array([on_grid(time) for time in np.cumsum(rng.exponential(1 / rate, n))])
        table = workload_table(arrival, rng.integers(1, 500, n), rng.integers(1, output, n))
        facts = [ReplicaFacts(f"serve/{i}", "serve", 1, FLOPS, BANDWIDTH, BLOCKS) for i in range(replicas)]
        recorder = Recorder(n, facts, **how)
        recorder.sent_s = arrival
        for replica in range(replicas):
            serve(table, recorder, replica, list(range(replica, n, replicas)))
        return assemble(scenario, table, recorder, replication=replication)

    return run


def make_scenario() -> spec.Resolved:
    """One pool of H100s for 3 $/h, TTFT within 2 s and TPOT within 50 ms for 99 %."""
    accelerator = Accelerator(
        name="h100-sxm", vendor="NVIDIA", architecture="hopper", peak_flops={"bf16": FLOPS}, hbm_bytes=85e9,
        hbm_bytes_per_s=BANDWIDTH, sms=132, scaleup_bytes_per_s=450e9, scaleup_kind="nvlink", scaleup_size=8,
        pcie_bytes_per_s=64e9, tdp_w=700.0, price_usd_per_hour=3.0, kind="datasheet", sources={},
    )  # fmt: skip
    model = Model(
        name="llama-3.1-8b", hidden_size=4096, num_hidden_layers=32, num_attention_heads=32,
        num_key_value_heads=8, head_dim=128, intermediate_size=14336, vocab_size=128256, dense_layers=32,
        full_attention_layers=32, max_position_embeddings=131072, source="config.json",
    )  # fmt: skip
    engine = spec.EngineArgs(
        preset="vllm-0.33", version="0.33", planner="vllm_v1", max_num_batched_tokens=8192,
        max_num_seqs=256, max_num_active_seqs=None, max_model_len=131072, block_size=16,
        enable_chunked_prefill=True, enable_prefix_caching=True, long_prefill_token_threshold=0,
        long_prefill_token_threshold_adaptive=False, scheduling_policy="fcfs", async_scheduling=False,
        scheduler_reserve_full_isl=True, watermark=0.0, prefill_schedule_interval=1, enforce_eager=False,
        gpu_memory_utilization=0.9, num_gpu_blocks_override=BLOCKS, kv_cache_memory_bytes=None,
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
