"""Weights, activations and KV cache against an accelerator's memory: how many KV blocks are left, or why
none are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from simulator.catalog import Accelerator, Model
from simulator.cost import check, graphs, ops, shape
from simulator.cost.efficiency import settings
from simulator.errors import InputError, Problem
from simulator.scenario.resolved import EngineArgs, Layout, ModelSpec

GB = 1e9


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of the fullest worker, and blocks of one engine (the null block, which is never used, included).

    A block holds block_size tokens' keys and values of all layers. engines: data-parallel ranks, each an
    engine with blocks of its own.
    """

    num_gpu_blocks: int
    block_size: int
    hbm_bytes: float
    requested_bytes: float
    weight_bytes: float
    activation_bytes: float
    graph_bytes: float
    non_framework_bytes: float
    kv_bytes: float
    block_bytes: float
    kv_bytes_per_token: float
    source: str
    engines: int = 1

    @property
    def kv_tokens(self) -> int:
        """Tokens that the KV caches of the replica hold."""
        return self.engines * (self.num_gpu_blocks - 1) * self.block_size


def fit(
    model: ModelSpec, accelerator: Accelerator, layout: Layout, engine: EngineArgs, where: str = ""
) -> Memory:
    """The memory of one replica. Raises InputError with everything that forbids it and the nearest layout
    that works."""
    found = check.problems(model, accelerator, layout, engine, where)
    if found:
        raise InputError(found)
    memory = measure(model, accelerator, layout, engine)
    if shortfall(memory, engine) > 0:
        raise InputError(_too_small(model, accelerator, layout, engine, where=where))
    return memory


def measure(model: ModelSpec, accelerator: Accelerator, layout: Layout, engine: EngineArgs) -> Memory:
    """The memory of one replica, whether it fits or not (then num_gpu_blocks is 0)."""
    constants = settings("memory")
    weights = weight_bytes_per_rank(model, layout)
    activations = activation_bytes(model.shape, engine, layout)
    graph = constants["graph_bytes_per_size"] * len(graphs.capture_sizes(engine, accelerator))
    outside = constants["non_framework_bytes"]
    linked = (
        layout.accelerators if model.shape.moe_layers else layout.accelerators // layout.data_parallel_size
    )
    outside += constants["communication_bytes"] if linked > 1 else 0.0
    requested = math.ceil(accelerator.hbm_bytes * engine.gpu_memory_utilization)
    kv = engine.kv_cache_memory_bytes or requested - weights - activations - graph - outside
    per_token = kv_bytes_per_token_per_rank(model, layout, engine)
    block = per_token * engine.block_size
    blocks = max(0, math.floor(kv / block))
    if engine.num_gpu_blocks_override is not None:
        blocks, kv = engine.num_gpu_blocks_override, engine.num_gpu_blocks_override * block
    return Memory(
        blocks,
        engine.block_size,
        accelerator.hbm_bytes,
        requested,
        weights,
        activations,
        graph,
        outside,
        kv,
        block,
        per_token,
        constants["source"],
        layout.data_parallel_size,
    )


def shortfall(memory: Memory, engine: EngineArgs) -> float:
    """Bytes a worker that are missing for weights, working memory and one request of max_model_len; ≤ 0: it
    fits.

    A given number of blocks only has to hold that request beside the null block.
    """
    needed = math.ceil(engine.max_model_len / engine.block_size) + 1
    missing = (needed - memory.num_gpu_blocks) * memory.block_bytes
    if engine.num_gpu_blocks_override is not None or engine.kv_cache_memory_bytes is not None:
        held = memory.weight_bytes + memory.activation_bytes + memory.kv_bytes
        return max(missing, held - memory.hbm_bytes)
    return needed * memory.block_bytes - memory.kv_bytes if missing > 0 else missing


def weight_bytes_per_rank(model: ModelSpec, layout: Layout) -> float:
    """Bytes of weights on the fullest rank: linear layers and vocabulary cut by TP, experts by TP or spread
    over EP."""
    tp, pp = layout.tensor_parallel_size, layout.pipeline_parallel_size
    count, each = shape.parameters(model.shape), shape.WEIGHT_BYTES[model.weight_dtype]
    expert_ranks = tp * layout.data_parallel_size
    share = math.ceil(model.shape.num_hidden_layers / pp) / model.shape.num_hidden_layers
    layers = share * (each * (count.linear / tp + count.experts / expert_ranks) + 2.0 * count.norms)
    ends = [count.embedding, count.head or count.embedding]
    vocabulary = max(ends) if pp > 1 else count.embedding + count.head
    return layers + 2.0 * vocabulary / tp


def kv_bytes_per_token_per_rank(model: ModelSpec, layout: Layout, engine: EngineArgs) -> float:
    """Bytes of one token's KV on one rank, all layers of a stage. What a sliding window or linear attention
    keeps of a whole sequence is spread over a sequence of `reference_tokens` or max_model_len, the
    shorter."""
    tp, pp = layout.tensor_parallel_size, layout.pipeline_parallel_size
    length = min(int(settings("memory")["reference_tokens"]), engine.max_model_len)
    total = 0.0
    for kind, layers in shape.kinds(model.shape).items():
        each = shape.kv_bytes_per_token(model.shape, kind, model.kv_dtype, tp)
        kept = min(1.0, model.shape.sliding_window / length) if kind == shape.SLIDING else 1.0
        total += layers * each * kept
    total += shape.state_bytes_per_sequence(model.shape) / tp / length
    if model.shape.index_n_heads:
        total += model.shape.num_hidden_layers * (model.shape.index_head_dim + ops.INDEX_SCALE)
    stage: float = math.ceil(model.shape.num_hidden_layers / pp) / model.shape.num_hidden_layers
    return total * stage


def kv_bytes_per_token(model: ModelSpec) -> float:
    """Bytes of one token's KV, all layers and ranks together, no copies: what a transfer of it moves."""
    kinds = shape.kinds(model.shape).items()
    return sum(
        layers * shape.kv_bytes_per_token(model.shape, kind, model.kv_dtype, 1) for kind, layers in kinds
    )


def activation_bytes(model: Model, engine: EngineArgs, layout: Layout) -> float:
    """Peak of a run of max_num_batched_tokens: residual stream and one layer's intermediates in bf16, logits
    of max_num_seqs rows in bf16 and twice in float32 (sampling)."""
    tp, tokens = layout.tensor_parallel_size, engine.max_num_batched_tokens
    dense = 3 * model.intermediate_size / tp if model.dense_layers else 0.0
    experts = 0.0
    if model.moe_layers:
        width = model.moe_intermediate_size / (
            1 if layout.expert_parallel else tp * layout.data_parallel_size
        )
        experts = model.num_experts_per_tok * (3 * width + model.hidden_size)
    layer = 2.0 * tokens * (4 * model.hidden_size + max(dense, experts))
    return layer + 10.0 * min(engine.max_num_seqs, tokens) * model.vocab_size


def _too_small(
    model: ModelSpec, accelerator: Accelerator, layout: Layout, engine: EngineArgs, *, where: str
) -> Problem:
    memory = measure(model, accelerator, layout, engine)
    missing = shortfall(memory, engine) / GB
    if engine.num_gpu_blocks_override is not None or engine.kv_cache_memory_bytes is not None:
        given = "num_gpu_blocks_override" if engine.num_gpu_blocks_override else "kv_cache_memory_bytes"
        room = f"{memory.num_gpu_blocks} blocks of {engine.block_size} tokens, one of them never used"
        what = f"one request of max_model_len {engine.max_model_len} does not fit {given}: {room}"
        held = memory.weight_bytes + memory.activation_bytes + memory.kv_bytes
        if held > memory.hbm_bytes:
            what = f"{given} with the weights is {(held - memory.hbm_bytes) / GB:.1f} GB over the memory"
        return Problem(where, what, "", _way_out(model, accelerator, layout, engine))
    working = memory.activation_bytes + memory.graph_bytes + memory.non_framework_bytes
    request = engine.max_model_len * memory.kv_bytes_per_token / GB
    what = (
        f"{model.shape.name} (quantization {model.quantization}) does not fit {accelerator.name} at "
        f"tensor_parallel_size {layout.tensor_parallel_size}: {missing:.1f} GB a worker are missing. Of "
        f"{memory.requested_bytes / GB:.1f} GB (gpu_memory_utilization {engine.gpu_memory_utilization:g}) "
        f"weights take {memory.weight_bytes / GB:.1f}, working memory {working / GB:.1f}, and one request of "
        f"max_model_len {engine.max_model_len} {request:.2f}"
    )
    return Problem(where, what, "", _way_out(model, accelerator, layout, engine))


def _way_out(model: ModelSpec, accelerator: Accelerator, layout: Layout, engine: EngineArgs) -> str:
    """The smallest TP that fits; a wider layout helps nothing where the blocks are given."""
    if engine.num_gpu_blocks_override is not None or engine.kv_cache_memory_bytes is not None:
        return "a shorter max_model_len, or leave the size of the KV cache to gpu_memory_utilization"
    sizes = [
        size
        for size in range(layout.tensor_parallel_size + 1, accelerator.scaleup_size + 1)
        if not check.divides(model.shape, size, layout)
    ]
    for tp in sizes:
        if _fits(model, accelerator, replace(layout, tensor_parallel_size=tp), engine):
            return f"tensor_parallel_size: {tp} fits"
    return (
        f"no tensor_parallel_size up to {accelerator.scaleup_size} fits; "
        "a narrower quantization, a shorter max_model_len or a larger accelerator may"
    )


def _fits(model: ModelSpec, accelerator: Accelerator, layout: Layout, engine: EngineArgs) -> bool:
    return shortfall(measure(model, accelerator, layout, engine), engine) <= 0
