"""A model's shape → its matrices, parameters, weight bytes, KV bytes a token and FLOPs a token.

Matrices are (n, k) as a GEMM of m tokens reads them: m × k times k × n. `tp` is the number of
tensor-parallel ranks that share them; with more ranks than KV heads the KV heads are copied.
"""

from __future__ import annotations

from typing import NamedTuple

from simulator.catalog import Model

# Bytes an element of a weight takes in memory. 4-bit formats carry a scale for every 16 (NVFP4) or 128
# values.
WEIGHT_BYTES = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5625, "int4": 0.53}
KV_BYTES = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0}
STATE_BYTES = 4.0  # the recurrent state of linear attention is kept in float32

FULL, SLIDING, LINEAR = "full", "sliding", "linear"


class Matrix(NamedTuple):
    """One weight matrix of a layer on one rank."""

    name: str
    n: int
    k: int


class Heads(NamedTuple):
    """Attention heads on one rank: query heads, key/value heads, size of a query/key head and of a value
    head; window: keys that a query sees at most, 0: all."""

    query: int
    kv: int
    qk_dim: int
    v_dim: int
    window: int = 0


def kinds(model: Model) -> dict[str, int]:
    """Layers by kind of attention, those that there are."""
    counts = {
        FULL: model.full_attention_layers,
        SLIDING: model.sliding_layers,
        LINEAR: model.linear_attention_layers,
    }
    return {kind: count for kind, count in counts.items() if count}


def is_mla(model: Model) -> bool:
    return model.kv_lora_rank > 0


def heads(model: Model, kind: str, tp: int = 1) -> Heads:
    """The heads of a full or sliding layer on one of `tp` ranks."""
    dim = (model.full_head_dim if kind == FULL else 0) or model.head_dim
    other = model.full_key_value_heads if kind == FULL else model.sliding_key_value_heads
    kv = other or model.num_key_value_heads
    value = model.v_head_dim if model.v_head_dim and not is_mla(model) else dim
    window = model.sliding_window if kind == SLIDING else 0
    return Heads(model.num_attention_heads // tp, max(1, kv // tp), dim, value, window)


def attention_matrices(model: Model, kind: str, tp: int = 1) -> list[Matrix]:
    """The projections of an attention layer on one rank."""
    if kind == LINEAR:
        return _linear_attention(model, tp)
    if is_mla(model):
        return _mla(model, tp)
    shape = heads(model, kind, tp)
    query = shape.query * shape.qk_dim * (2 if model.attention_output_gate else 1)
    shared_kv = kind == FULL and model.full_head_dim > 0  # Gemma 4's global layers use their keys as values
    values = 0 if shared_kv else shape.kv * shape.v_dim
    return [
        Matrix("qkv", query + shape.kv * shape.qk_dim + values, model.hidden_size),
        Matrix("o", model.hidden_size, shape.query * shape.v_dim),
    ]


def mlp_matrices(model: Model, tp: int = 1) -> list[Matrix]:
    """The dense MLP on one rank."""
    return _gated(model.intermediate_size, model.hidden_size, tp, model.gated_mlp, "")


def shared_matrices(model: Model, tp: int = 1) -> list[Matrix]:
    """The MLP that every token passes beside its experts; [] if there is none."""
    width = shared_width(model)
    return _gated(width, model.hidden_size, tp, True, "shared_") if width else []


def shared_width(model: Model) -> int:
    return model.shared_expert_intermediate_size or model.n_shared_experts * model.moe_intermediate_size


def expert_parameters(model: Model) -> int:
    """Parameters of one routed expert."""
    return 3 * model.hidden_size * model.moe_intermediate_size


def _gated(width: int, hidden: int, tp: int, gated: bool, prefix: str) -> list[Matrix]:
    up = Matrix(prefix + ("gate_up" if gated else "up"), (2 if gated else 1) * width // tp, hidden)
    return [up, Matrix(prefix + "down", hidden, width // tp)]


def _mla(model: Model, tp: int) -> list[Matrix]:
    count = model.num_attention_heads // tp
    qk = model.qk_nope_head_dim + model.qk_rope_head_dim
    latent = Matrix("kv_a", model.kv_lora_rank + model.qk_rope_head_dim, model.hidden_size)
    expand = Matrix("kv_b", count * (model.qk_nope_head_dim + model.v_head_dim), model.kv_lora_rank)
    out = Matrix("o", model.hidden_size, count * model.v_head_dim)
    if not model.q_lora_rank:
        return [Matrix("q", count * qk, model.hidden_size), latent, expand, out, *_indexer(model)]
    query = [
        Matrix("q_a", model.q_lora_rank, model.hidden_size),
        Matrix("q_b", count * qk, model.q_lora_rank),
    ]
    return [*query, latent, expand, out, *_indexer(model)]


def _indexer(model: Model) -> list[Matrix]:
    """DeepSeek sparse attention's indexer: copied on every rank."""
    if not model.index_n_heads:
        return []
    return [
        Matrix("index_q", model.index_n_heads * model.index_head_dim, model.q_lora_rank),
        Matrix("index_k", model.index_head_dim + model.index_n_heads, model.hidden_size),
    ]


def _linear_attention(model: Model, tp: int) -> list[Matrix]:
    """The gated delta net of Qwen 3.5: q, k, v and gate in one matrix, then the output."""
    keys = model.linear_num_key_heads * model.linear_key_head_dim
    values = model.linear_num_value_heads * model.linear_value_head_dim
    return [
        Matrix("qkvz", 2 * (keys + values) // tp, model.hidden_size),
        Matrix("beta_alpha", 2 * model.linear_num_value_heads // tp, model.hidden_size),
        Matrix("out", model.hidden_size, values // tp),
    ]


class Parameters(NamedTuple):
    """Counts. linear: in layers and quantised with them; norms: vectors, convolutions and routers; experts:
    routed ones; embedding: input table with learned positions; head: output matrix, 0 if tied to the
    embedding."""

    linear: int
    norms: int
    experts: int
    embedding: int
    head: int
    total: int
    active: int


def parameters(model: Model) -> Parameters:
    """How many parameters the model has, and how many one token passes."""
    linear = sum(layers * _size(attention_matrices(model, kind)) for kind, layers in kinds(model).items())
    linear += model.dense_layers * _size(mlp_matrices(model)) if model.dense_layers else 0
    linear += model.moe_layers * _size(shared_matrices(model))
    experts = model.moe_layers * model.num_experts * expert_parameters(model)
    routed = model.moe_layers * model.num_experts_per_tok * expert_parameters(model)
    norms = _vectors(model) + model.moe_layers * model.num_experts * model.hidden_size
    embedding = (model.vocab_size + model.learned_positions) * model.hidden_size
    head = 0 if model.tie_word_embeddings else model.vocab_size * model.hidden_size
    rest = linear + norms + embedding + head
    return Parameters(linear, norms, experts, embedding, head, rest + experts, rest + routed)


def _size(matrices: list[Matrix]) -> int:
    return sum(matrix.n * matrix.k for matrix in matrices)


def _vectors(model: Model) -> int:
    """Norms, and the convolution of linear attention."""
    norms = (2 * model.num_hidden_layers + 1) * model.hidden_size
    width = 2 * model.linear_num_key_heads * model.linear_key_head_dim
    width += model.linear_num_value_heads * model.linear_value_head_dim
    return norms + model.linear_attention_layers * width * model.linear_conv_kernel_dim


def weight_bytes(model: Model, weight_dtype: str) -> float:
    """Bytes of all weights: layers at `weight_dtype`; embedding, output matrix, norms and routers stay
    bf16."""
    count = parameters(model)
    each = WEIGHT_BYTES[weight_dtype]
    return (count.linear + count.experts) * each + (count.norms + count.embedding + count.head) * 2.0


def kv_bytes_per_token(model: Model, kind: str, kv_dtype: str, tp: int = 1) -> float:
    """Bytes of one token's keys and values in one layer of that kind on one rank; 0 for linear attention."""
    if kind == LINEAR:
        return 0.0
    each = KV_BYTES[kv_dtype]
    if is_mla(model):
        return (model.kv_lora_rank + model.qk_rope_head_dim) * each
    shape = heads(model, kind, tp)
    return shape.kv * (shape.qk_dim + shape.v_dim) * each


def state_bytes_per_sequence(model: Model) -> float:
    """Bytes that linear-attention layers keep for a sequence, whatever its length: recurrent state and
    convolution."""
    keys = model.linear_num_key_heads * model.linear_key_head_dim
    values = model.linear_num_value_heads * model.linear_value_head_dim
    recurrent = values * model.linear_key_head_dim * STATE_BYTES
    convolution = (2 * keys + values) * max(model.linear_conv_kernel_dim - 1, 0) * 2.0
    return model.linear_attention_layers * (recurrent + convolution)


def flops_per_token(model: Model) -> float:
    """FLOPs of one token through every matrix, attention itself and the embedding look-up left out."""
    count = parameters(model)
    look_up = count.embedding if not model.tie_word_embeddings else 0
    return 2.0 * (count.active - look_up)
