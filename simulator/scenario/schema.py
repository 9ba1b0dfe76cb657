"""A scenario file, field by field. The JSON Schema for editors is made from these classes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from simulator.scenario import checks
from simulator.scenario.fields import (
    AcceleratorName,
    Bytes,
    BytesPerSecond,
    ConnectorName,
    Count,
    CountOrZero,
    Factor,
    FormatName,
    LinkName,
    Name,
    PolicyName,
    PresetName,
    PricePerHour,
    RouterName,
    Seconds,
    SecondsOrZero,
    Section,
    Sha256,
    Share,
)
from simulator.scenario.synthetic import Synthetic


class Slice(Section):
    """A part of the trace."""

    start: SecondsOrZero = 0.0
    """From here on: time after the first arrival."""
    end: Seconds | None = None
    """Up to here, exclusive; default: the end of the trace."""


class ModelSection(Section):
    """The model that is served: a name of the catalogue, a Hugging Face config.json, or its fields inline."""

    config: str | dict[str, Any] | None = None
    """The path of a Hugging Face config.json, relative to this file, or all its fields."""
    name: Name | None = None
    """A name of `sim list models`; with `config`, any name."""
    quantization: Literal["none", "fp8", "fp8_block", "w8a16", "int8", "int4", "fp4"] = "none"
    """Of the weights: none (bf16), fp8 and fp8_block (W8A8), w8a16, int8 (W8A8), int4 (W4A16), fp4 (W4A4)."""
    kv_cache_dtype: Literal["auto", "bf16", "fp8"] = "auto"
    """Of the KV cache; auto: bf16."""
    model_type: str | None = None
    """Inline: the architecture, as in config.json; default: llama."""
    hidden_size: Count | None = None
    """Inline: width of the residual stream."""
    num_hidden_layers: Count | None = None
    """Inline: layers."""
    num_attention_heads: Count | None = None
    """Inline: query heads."""
    num_key_value_heads: Count | None = None
    """Inline: key and value heads; default: as many as query heads."""
    head_dim: Count | None = None
    """Inline: width of a head; default: hidden_size / num_attention_heads."""
    intermediate_size: Count | None = None
    """Inline: width of the MLP."""
    vocab_size: Count | None = None
    """Inline: tokens of the vocabulary."""
    max_position_embeddings: Count | None = None
    """Inline: the longest sequence, in tokens."""
    tie_word_embeddings: bool | None = None
    """Inline: whether input and output embeddings are the same matrix."""

    _checked = model_validator(mode="after")(checks.raising(checks.model))


class WorkloadSection(Section):
    """Who asks for what, when: a trace that is replayed, or a synthetic workload."""

    trace: str | None = None
    """The path of a trace file, relative to this file."""
    format: FormatName | None = None
    """The trace's format, a name of `sim list formats`; default: recognised by its content."""
    format_options: dict[str, Any] = Field(default_factory=dict)
    """Options of that format."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be read, and count them, in place of refusing the trace."""
    slice: Slice | None = None
    """Replay only a part of the trace."""
    synthetic: Synthetic | None = None
    """A generated workload: its parameters, or a name of `sim list workloads`."""
    rate_scale: Factor = 1.0
    """Arrivals come so many times as fast; lengths stay."""
    limit: Count | None = None
    """Only the first so many requests."""
    over_limit: Literal["error", "drop", "clip"] = "error"
    """Requests longer than the model allows: refuse the run, drop them or clip them (both counted)."""

    _checked = model_validator(mode="after")(checks.raising(checks.workload))


class PluginSection(Section):
    """A router by its name, with its options."""

    name: RouterName
    """A name of `sim list routers`, or the path of a .py file, relative to this file."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Its options: see `sim show NAME`."""


def _name_alone(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Router = Annotated[
    PluginSection, BeforeValidator(_name_alone, json_schema_input_type=RouterName | PluginSection)
]


class PolicySection(Section):
    """A scheduling policy by its name, with its options beside it: see `sim show NAME`."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    name: PolicyName
    """A name of `sim list policies`, or the path of a .py file, relative to this file."""


Policy = Annotated[
    PolicySection, BeforeValidator(_name_alone, json_schema_input_type=PolicyName | PolicySection)
]


class EngineSection(Section):
    """The engine of each replica, in vLLM's own argument names. What is left out is as in `vllm serve`."""

    preset: PresetName = "vllm-0.33"
    """The engine release that it follows: a name of `sim list presets`."""
    max_num_batched_tokens: Count | None = None
    """Token budget of one step; default: by the accelerator's memory."""
    max_num_seqs: Count | None = None
    """Most requests that run at once; default: by the accelerator's memory."""
    max_num_active_seqs: Count | None = None
    """In place of max_num_seqs when a request is admitted."""
    max_model_len: Count | None = None
    """Most tokens of a request, prompt and output together; default: the model's own limit."""
    block_size: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Tokens of a KV-cache block."""
    enable_chunked_prefill: bool | None = None
    """Whether a prompt may be computed over several steps."""
    enable_prefix_caching: bool | None = None
    """Whether KV blocks of equal prefixes are used again."""
    long_prefill_token_threshold: CountOrZero | None = None
    """Most tokens of one request in a step when others wait or run; 0: no such limit."""
    long_prefill_token_threshold_adaptive: bool | None = None
    """Raise that threshold to an even share of the token budget."""
    scheduling_policy: Policy | None = None
    """Who goes first."""
    async_scheduling: bool | None = None
    """Plan a step while the one before it runs."""
    scheduler_reserve_full_isl: bool | None = None
    """Admit a request only when blocks for its whole prompt are free."""
    watermark: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Share of KV blocks kept free when a request is admitted."""
    prefill_schedule_interval: Count | None = None
    """Steps from one prefill to the next; 1: no pause."""
    preemption_mode: Literal["recompute", "swap"] | None = None
    """What becomes of a preempted request's KV: computed again, or copied to the host (vllm-v0)."""
    swap_space: Bytes | None = None
    """Host memory for swapped KV, on each accelerator (vllm-v0)."""
    max_prefill_tokens: Count | None = None
    """Most prompt tokens of one prefill batch (sglang)."""
    enable_mixed_chunk: bool | None = None
    """Decodes join prefill batches (sglang)."""
    schedule_conservativeness: Factor | None = None
    """Scales the share of a request's largest output that is reserved when others are admitted (sglang)."""
    enforce_eager: bool | None = None
    """Run without CUDA graphs."""
    gpu_memory_utilization: Share | None = None
    """Share of device memory that the engine takes."""
    num_gpu_blocks_override: Annotated[int, Field(ge=2, le=2**31 - 1)] | None = None
    """KV blocks, the null block included, in place of what memory allows."""
    kv_cache_memory_bytes: Bytes | None = None
    """Size of the KV cache on each accelerator, in place of what gpu_memory_utilization leaves."""

    _checked = model_validator(mode="after")(checks.raising(checks.engine))


class MemberSection(Section):
    """Some of a pool's replicas, of one kind. What is left out is as the pool has it."""

    accelerator: AcceleratorName
    """A name of `sim list accelerators`."""
    replicas: Annotated[int, Field(ge=1, le=4096)] = 1
    """How many."""
    tensor_parallel_size: Annotated[int, Field(ge=1, le=1024)] | None = None
    """As of a pool."""
    pipeline_parallel_size: Annotated[int, Field(ge=1, le=1024)] | None = None
    """As of a pool."""
    data_parallel_size: Annotated[int, Field(ge=1, le=4096)] | None = None
    """As of a pool."""
    enable_expert_parallel: bool | None = None
    """As of a pool."""
    engine: EngineSection | None = None
    """Arguments in place of the pool's."""


class PoolSection(Section):
    """Replicas that share a role and a router: of one kind, or of several members' kinds."""

    role: Literal["both", "prefill", "decode"] = "both"
    """What its replicas compute."""
    replicas: Annotated[int, Field(ge=1, le=4096)] = 1
    """How many."""
    accelerator: AcceleratorName | None = None
    """A name of `sim list accelerators`."""
    members: Annotated[dict[Name, MemberSection], Field(min_length=1)] | None = None
    """Replicas of several kinds, by a name of your own, in place of replicas and accelerator."""
    tensor_parallel_size: Annotated[int, Field(ge=1, le=1024)] = 1
    """Accelerators that share each layer of one replica."""
    pipeline_parallel_size: Annotated[int, Field(ge=1, le=1024)] = 1
    """Stages into which the layers of one replica are cut."""
    data_parallel_size: Annotated[int, Field(ge=1, le=4096)] = 1
    """Engines in one replica, each with its own queue and KV cache; a mixture's share their experts."""
    enable_expert_parallel: bool = False
    """Whether experts are spread over accelerators whole, in place of each being cut."""
    router: Router | None = None
    """How requests are spread over the pool's replicas; default: the fleet's router."""
    step_time: Seconds | None = None
    """Each step takes this long, whatever it computes: for comparing with queueing theory."""
    engine: EngineSection = EngineSection()
    """The engine's arguments."""

    _checked = model_validator(mode="after")(checks.raising(checks.pool))


class TransferSection(Section):
    """How KV caches travel from prefill to decode pools."""

    connector: ConnectorName = "nixl"
    """The protocol: a name of `sim list connectors`."""
    push: bool | None = None
    """Whether the decode side has its blocks before the prompt is computed; default: the connector's way."""
    sends: Literal["prompt", "chunk", "layer"] | None = None
    """What is sent at once: a prompt, a step's chunk, or each layer of it; default: the connector's way."""
    first_token: Literal["decode", "prefill", "relayed"] | None = None
    """Which side makes and tells it, or made by prefill and told by decode; default: the connector's way."""
    link: LinkName | None = None
    """A name of `sim list links`."""
    bandwidth: BytesPerSecond | None = None
    """Of one direction, of a replica or accelerator."""
    per: Literal["replica", "accelerator"] | None = None
    """What has such a link: each replica as a whole (the default), or each of its accelerators."""
    latency: SecondsOrZero | None = None
    """Of one message."""


class FleetSection(Section):
    """The design under test."""

    router: Router = PluginSection(name="round_robin")
    """How requests are spread."""
    pools: Annotated[dict[Name, PoolSection], Field(min_length=1)]
    """Its pools, by a name of your own."""
    transfer: TransferSection | None = None
    """The way of the KV cache between pools."""
    view_delay: SecondsOrZero = 0.0
    """Age at which the loads that routers see are looked up anew; 0: they always see the present."""

    _checked = model_validator(mode="after")(checks.raising(checks.fleet))


class SloSection(Section):
    """Bounds on latency, and the share of requests that must meet all of them."""

    ttft: Seconds | None = None
    """Time to first token."""
    tpot: Seconds | None = None
    """Time per output token after the first."""
    itl: Seconds | None = None
    """Each gap between two tokens."""
    e2e: Seconds | None = None
    """From arrival to last token."""
    attainment: Share = 0.99
    """Share of requests."""

    _checked = model_validator(mode="after")(checks.raising(checks.slo))


def _warmup(value: Any) -> Any:
    return None if value == "auto" else value


class RunSection(Section):
    """How it is run and evaluated."""

    warmup: Annotated[
        SecondsOrZero | None, BeforeValidator(_warmup, json_schema_input_type=Literal["auto"] | SecondsOrZero)
    ] = None
    """Arrivals up to then are left out of the metrics; auto: found by MSER-5."""
    duration: Seconds | None = None
    """Stop the clock then; default: when the last request has ended."""
    replications: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Runs with different random numbers. Those of a trace resample it; the first is the trace as it is."""
    resample: Literal["blocks", "none"] | None = None
    """How replications of a trace differ: blocks of sessions drawn anew; none: batch means of one run."""
    precision: Share | None = None
    """Add replications until intervals reach no further than this share of the value, up or down."""
    precision_of: Annotated[list[str], Field(min_length=1)] | None = None
    """The statistics that must be that precise; default: ttft_s.p99 and tpot_s.p99."""
    max_replications: Annotated[int, Field(ge=2, le=10_000)] | None = None
    """The most replications that precision may take; default: 100."""
    confidence: Annotated[float, *Share.__metadata__[:2], Field(gt=0.5, lt=1)] = 0.95
    """Of the intervals."""
    bin: Seconds | None = None
    """Width of the timeline's bins; default: fitted to the run."""
    leap: bool = True
    """Take runs of decode-only steps at once; results are the same, bit for bit."""
    exact: bool = False
    """Always plan by the rule-by-rule planner; results are the same, bit for bit."""

    _checked = model_validator(mode="after")(checks.raising(checks.run))


class CostSection(Section):
    """How steps are priced."""

    correction: Annotated[str, Field(pattern=r"^(measured|none|.*\.npz)$")] = "measured"
    """Of the formula by measured kernels nearby: measured (those that ship), none, or the path of one's own
    (`sim validate kernels --pack`), relative to this file."""


class Scenario(Section):
    """One design under one workload."""

    name: Name
    """What reports call it."""
    description: str = ""
    """What it is for."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Of every random stream."""
    model: ModelSection
    workload: WorkloadSection
    fleet: FleetSection
    cost: CostSection = CostSection()
    slo: SloSection | None = None
    run: RunSection = RunSection()
    prices: dict[AcceleratorName, PricePerHour] = Field(default_factory=dict)
    """Price of one accelerator an hour, in place of the catalogue's."""
    files: dict[str, Sha256] = Field(default_factory=dict)
    """SHA-256 of files that this scenario names: another content under that path is refused."""

    _checked = model_validator(mode="after")(checks.raising(checks.scenario))
