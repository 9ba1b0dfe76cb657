"""A scenario with every name looked up and every default filled in: what the rest of the simulator reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simulator.catalog import Accelerator, Link, Model

PRECISION_OF = ("ttft_s.p99", "tpot_s.p99")
MAX_REPLICATIONS = 100


@dataclass(frozen=True, slots=True)
class Layout:
    """How one replica is spread over accelerators; `accelerators` of them in all."""

    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    data_parallel_size: int = 1
    expert_parallel: bool = False

    @property
    def accelerators(self) -> int:
        return self.tensor_parallel_size * self.pipeline_parallel_size * self.data_parallel_size


@dataclass(frozen=True, slots=True)
class Rules:
    """Where schedulers of one family differ, by release; the defaults are vLLM 0.33's (docs/engine.md).

    unhashed_blocks_first: a freed block that nobody can find is the next to be used, else it queues like the
    others (R40); threshold_when_alone: long_prefill_token_threshold binds a request that is alone, too (R11);
    preempted_ends_scan: under the priority policy a request that preempts itself ends the scan (R15);
    spare_blocks: a decode that finds no more than so many free blocks less one preempts (V6); reserves_all:
    a request takes the blocks of max_model_len when it is admitted (O2); takes_whole_prompts: those of all of
    its prompt, though it is computed in chunks (H4); caches_when_computed: prefixes can be found when they
    are computed, not when they are scheduled (S10); async_pipeline: what asynchronous scheduling does with a
    pipeline: it plans one batch more than that holds (ahead), decodes wait for their tokens all the same
    (waits), or the two don't go together (none) (R70); chunks_in_flight: a prompt's next chunk is scheduled
    though the one before is still in the pipeline (R75).
    """

    unhashed_blocks_first: bool = True
    threshold_when_alone: bool = False
    preempted_ends_scan: bool = False
    spare_blocks: int = 0
    reserves_all: bool = False
    takes_whole_prompts: bool = False
    caches_when_computed: bool = False
    balancer: str = "inflight"
    tells_dense_counts: bool = True
    dp_sync_interval: int = 16
    async_pipeline: str = "ahead"
    chunks_in_flight: bool = True


@dataclass(frozen=True, slots=True)
class EngineArgs:
    """One replica's engine, in vLLM's names. Tokens unless said; None: derived from the memory left.

    scheduling_policy: a name, or the path of a .py file; scheduling_options: that policy's own. Those from
    preemption_mode on exist in some presets only. swap_space: bytes of host memory on each accelerator.
    """

    preset: str
    version: str
    planner: str
    max_num_batched_tokens: int
    max_num_seqs: int
    max_num_active_seqs: int | None
    max_model_len: int
    block_size: int
    enable_chunked_prefill: bool
    enable_prefix_caching: bool
    long_prefill_token_threshold: int
    long_prefill_token_threshold_adaptive: bool
    scheduling_policy: str
    async_scheduling: bool
    scheduler_reserve_full_isl: bool
    watermark: float
    prefill_schedule_interval: int
    enforce_eager: bool
    gpu_memory_utilization: float
    num_gpu_blocks_override: int | None
    kv_cache_memory_bytes: float | None
    preemption_mode: str = "recompute"
    swap_space: float = 0.0
    max_prefill_tokens: int | None = None
    enable_mixed_chunk: bool = False
    schedule_conservativeness: float = 1.0
    scheduling_options: dict[str, Any] = field(default_factory=dict)
    rules: Rules = Rules()


@dataclass(frozen=True, slots=True)
class Plugin:
    """A router, policy, … by name or path, with its options."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """Replicas of one kind. role: both, prefill or decode; step_s: a fixed step time, no cost model; member:
    of a pool of several kinds, whose name is then pool/member."""

    name: str
    role: str
    replicas: int
    accelerator: Accelerator
    layout: Layout
    engine: EngineArgs
    router: Plugin | None
    step_s: float | None
    member: str = ""

    @property
    def pool(self) -> str:
        """The pool as the scenario names it."""
        return self.name.removesuffix(f"/{self.member}") if self.member else self.name

    @property
    def key(self) -> str:
        """Where the scenario has these replicas."""
        member = f".members.{self.member}" if self.member else ""
        return f"fleet.pools.{self.pool}{member}"

    @property
    def engines(self) -> int:
        """Schedulers in all: each data-parallel rank of a replica has its own."""
        return self.replicas * self.layout.data_parallel_size


@dataclass(frozen=True, slots=True)
class TransferSpec:
    """The way of the KV cache from prefill to decode pools: push, sends and first_token as in the catalogue's
    connectors; per: what has such a link, "replica" or "accelerator"."""

    connector: str
    link: Link
    push: bool = False
    sends: str = "prompt"
    first_token: str = "decode"
    per: str = "replica"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The model as it is served. weight_dtype, activation_dtype, kv_dtype: bf16, fp8, int8, int4, fp4."""

    shape: Model
    quantization: str
    weight_dtype: str
    activation_dtype: str
    kv_dtype: str


@dataclass(frozen=True, slots=True)
class FleetSpec:
    router: Plugin
    pools: tuple[PoolSpec, ...]
    transfer: TransferSpec | None
    view_delay_s: float = 0.0  # age at which the loads that routers see are looked up anew


@dataclass(frozen=True, slots=True)
class WorkloadSpec:
    """One of trace (a path, absolute) and synthetic is set; limit, slice_s and rate_scale apply to both."""

    trace: str | None
    format: str | None
    format_options: dict[str, Any]
    synthetic: dict[str, Any] | None
    rate_scale: float
    limit: int | None
    over_limit: str  # "error", "drop" or "clip": what to do with requests over the model's length
    skip_bad_rows: bool
    slice_s: tuple[float, float] | None = None  # from, to: seconds after the trace's first arrival


@dataclass(frozen=True, slots=True)
class SloSpec:
    """Bounds in seconds, and the share of requests that must meet all of them."""

    ttft_s: float | None
    tpot_s: float | None
    itl_s: float | None
    e2e_s: float | None
    attainment: float


@dataclass(frozen=True, slots=True)
class RunSpec:
    """warmup_s: None for MSER-5; duration_s: stop the clock then; confidence: of the intervals;
    leap: collapse runs of decode-only steps; exact: always the exact planner.

    precision: replications are added, up to max_replications, until the half-width of the intervals of
    precision_of ("ttft_s.p99") is at most this share of the value; None: as many as replications says."""

    warmup_s: float | None
    duration_s: float | None
    replications: int
    confidence: float
    bin_s: float | None
    price: dict[str, float]  # $/h by accelerator, for every accelerator of the fleet
    resample: str | None = None  # replications of a trace: "blocks" of sessions, or "none"; None: synthetic
    leap: bool = True
    exact: bool = False
    precision: float | None = None
    precision_of: tuple[str, ...] = PRECISION_OF
    max_replications: int = MAX_REPLICATIONS


@dataclass(frozen=True, slots=True)
class Resolved:
    """The whole scenario.

    document: its YAML form with every default filled in; hash: SHA-256 (hex) of that form without file paths,
    a trace counting by its content; places: where each dotted key was written ("file:line:column").
    """

    name: str
    seed: int
    model: ModelSpec
    workload: WorkloadSpec
    fleet: FleetSpec
    slo: SloSpec | None
    run: RunSpec
    document: dict[str, Any]
    hash: str
    correction: str = "measured"  # of step times by measured kernels: "measured", "none", or a path
    places: dict[str, str] = field(default_factory=dict, compare=False)
