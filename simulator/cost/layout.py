"""What one rank of a layout runs in a step: its kernels and collectives, for so many tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulator.catalog import Accelerator, Model
from simulator.cost import ops, precision, shape
from simulator.cost.ops import Op
from simulator.cost.precision import Precision
from simulator.scenario.resolved import Layout, ModelSpec

Counted = tuple[Op, float]  # an op and how often a step runs it


@dataclass(frozen=True, slots=True)
class Plan:
    """One rank's share. ep: ranks over which the experts are spread, 1: each is cut like the other layers."""

    model: Model
    accelerator: Accelerator
    precision: Precision
    kv_dtype: str
    tp: int
    pp: int
    dp: int
    ep: int

    @property
    def ranks(self) -> int:
        """Ranks that work on the same tokens: those of one data-parallel rank."""
        return self.tp

    @property
    def expert_ranks(self) -> int:
        """Ranks that share the experts, cut or spread."""
        return self.tp * self.dp


def plan(model: ModelSpec, accelerator: Accelerator, layout: Layout) -> Plan:
    tp, dp = layout.tensor_parallel_size, layout.data_parallel_size
    ep = tp * dp if layout.expert_parallel else 1
    return Plan(
        model.shape,
        accelerator,
        precision.of(model),
        model.kv_dtype,
        tp,
        layout.pipeline_parallel_size,
        dp,
        ep,
    )


def token_ops(plan: Plan, tokens: float) -> list[Counted]:
    """All that depends on the number of tokens only. With data parallelism `tokens` are those of the busiest
    rank."""
    found = [*_attention_projections(plan, tokens), *_mlps(plan, tokens), *_vectors(plan, tokens)]
    return [*found, *_collectives(plan, tokens)]


def head_ops(plan: Plan, rows: float) -> list[Counted]:
    """The output matrix over the rows that are sampled, and the gathering of its shards."""
    model = plan.model
    shard = (math.ceil(model.vocab_size / plan.tp), model.hidden_size)
    head = ops.gemm("lm_head", rows, shard, 2.0, 2.0)
    if plan.tp == 1:
        return [(head, 1.0)]
    return [
        (head, 1.0),
        (ops.collective("logits", "all_gather", rows * model.vocab_size * ops.ACTIVATION), 1.0),
    ]


def chunk_ops(plan: Plan, tokens: float, context: float, kinds: list[str] | None = None) -> list[Counted]:
    """Attention of one prefill chunk after `context` tokens, in layers of those kinds (default: all)."""
    counts = shape.kinds(plan.model)
    wanted = counts if kinds is None else kinds
    return [(op, float(counts[kind])) for kind in wanted for op in _chunk(plan, kind, tokens, context)]


def decode_ops(plan: Plan, sequences: float, keys: float) -> list[Counted]:
    """Attention of `sequences` decodes over `keys` keys in all."""
    counts = shape.kinds(plan.model)
    return [(op, float(counts[kind])) for kind in counts for op in _decode(plan, kind, sequences, keys)]


def _attention_projections(plan: Plan, tokens: float) -> list[Counted]:
    found: list[Counted] = []
    for kind, layers in shape.kinds(plan.model).items():
        for matrix in shape.attention_matrices(plan.model, kind, plan.tp):
            found.append((_gemm(plan, matrix, tokens), layers))
    return found


def _mlps(plan: Plan, tokens: float) -> list[Counted]:
    model = plan.model
    found: list[Counted] = []
    if model.dense_layers:
        found += [(_gemm(plan, m, tokens), model.dense_layers) for m in shape.mlp_matrices(model, plan.tp)]
    if model.moe_layers:
        router = ops.gemm("router", tokens, (model.num_experts, model.hidden_size), 2.0, 2.0)
        found.append((router, model.moe_layers))
        found += [(_gemm(plan, m, tokens), model.moe_layers) for m in shape.shared_matrices(model, plan.tp)]
        found.append(experts(plan, tokens))
    return found


def experts(plan: Plan, tokens: float) -> Counted:
    """The routed experts, with `tokens` on each data-parallel rank."""
    return _experts(plan, tokens * plan.dp), plan.model.moe_layers


def exchange(plan: Plan, tokens: float) -> Counted:
    """Sending `tokens` tokens of a data-parallel rank to their experts, and back."""
    model = plan.model
    routed = tokens * model.hidden_size * ops.ACTIVATION * min(model.num_experts_per_tok, plan.expert_ranks)
    return ops.collective("dispatch_combine", "alltoall", routed), 2.0 * model.moe_layers


def _experts(plan: Plan, tokens: float) -> Op:
    model = plan.model
    cut = plan.expert_ranks if plan.ep == 1 else 1
    width = model.moe_intermediate_size // cut
    experts = ops.Experts(
        model.hidden_size,
        width,
        model.num_experts,
        model.num_experts_per_tok,
        cut,
        plan.ep,
    )
    hit = ops.expected_experts(tokens, experts)
    return ops.moe(tokens, experts, plan.precision.weight, hit, plan.accelerator.hbm_bytes_per_s)


def _gemm(plan: Plan, matrix: shape.Matrix, tokens: float) -> Op:
    used = plan.precision
    return ops.gemm(matrix.name, tokens, (matrix.n, matrix.k), used.weight, used.activation)


def _vectors(plan: Plan, tokens: float) -> list[Counted]:
    """Norms, rotary embedding and the activation between the MLP's matrices."""
    model, each = plan.model, ops.ACTIVATION
    layers = float(model.num_hidden_layers)
    found = [(ops.elementwise("norm", 2 * each * tokens * model.hidden_size), 2 * layers)]
    rotary = model.full_attention_layers + model.sliding_layers
    found.append((ops.elementwise("rope", 2 * each * tokens * _rotated(plan)), rotary))
    widths = ((model.intermediate_size, model.dense_layers), (shape.shared_width(model), model.moe_layers))
    for width, count in widths:
        if width and count:
            found.append((ops.elementwise("activation", 3 * each * tokens * width / plan.tp), count))
    return found


def _rotated(plan: Plan) -> int:
    """Elements of a token's queries and keys that the rotary embedding touches."""
    model = plan.model
    if shape.is_mla(model):
        return (model.num_attention_heads // plan.tp + 1) * model.qk_rope_head_dim
    shares = shape.heads(model, shape.FULL, plan.tp)
    return (shares.query + shares.kv) * shares.qk_dim


def _collectives(plan: Plan, tokens: float) -> list[Counted]:
    model, size = plan.model, tokens * plan.model.hidden_size * ops.ACTIVATION
    found: list[Counted] = []
    if plan.tp > 1:
        found.append((ops.collective("all_reduce", "all_reduce", size), 2.0 * model.num_hidden_layers + 1.0))
    if plan.dp > 1 and model.moe_layers:
        found.append(exchange(plan, tokens))
    if plan.pp > 1:
        found.append((ops.collective("stage_hand_over", "send", size), plan.pp - 1.0))
    return found


def _chunk(plan: Plan, kind: str, tokens: float, context: float) -> list[Op]:
    model = plan.model
    if kind == shape.LINEAR:
        return [_recurrence(plan, 1, tokens)]
    if shape.is_mla(model):
        attention = ops.mla_prefill(tokens, context, _expanded(plan), shape.KV_BYTES[plan.kv_dtype])
        if not model.index_topk:
            return [attention, _expansion(plan, context)]
        return [attention, ops.index_prefill(tokens, context, model.index_n_heads, model.index_head_dim)]
    share = shape.heads(model, kind, plan.tp)
    return [ops.attention_prefill(tokens, context, share, shape.KV_BYTES[plan.kv_dtype])]


def _decode(plan: Plan, kind: str, sequences: float, keys: float) -> list[Op]:
    model, each, sms = plan.model, shape.KV_BYTES[plan.kv_dtype], plan.accelerator.sms
    if kind == shape.LINEAR:
        return [_recurrence(plan, sequences, sequences)]
    if not shape.is_mla(model):
        return [ops.attention_decode(sequences, keys, shape.heads(model, kind, plan.tp), each, sms)]
    found = [ops.mla_decode(sequences, keys, _latent(plan), each, sms)]
    if model.index_topk:
        found.append(ops.index_decode(sequences, keys, model.index_n_heads, model.index_head_dim))
    return found


def _expanded(plan: Plan) -> shape.Heads:
    """MLA's heads as prefill has them: keys and values of full size."""
    model, count = plan.model, plan.model.num_attention_heads // plan.tp
    qk = model.qk_nope_head_dim + model.qk_rope_head_dim
    return shape.Heads(count, count, qk, model.v_head_dim, model.index_topk)


def _latent(plan: Plan) -> shape.Heads:
    """MLA's heads as decode has them: one latent that serves as key and value."""
    model, count = plan.model, plan.model.num_attention_heads // plan.tp
    rank = model.kv_lora_rank
    return shape.Heads(count, 1, rank + model.qk_rope_head_dim, rank, model.index_topk)


def _expansion(plan: Plan, context: float) -> Op:
    """A chunk expands the cached latents before it to keys and values again."""
    heads = _expanded(plan)
    width = heads.query * (plan.model.qk_nope_head_dim + plan.model.v_head_dim)
    flops = 2.0 * context * plan.model.kv_lora_rank * width
    return Op("expansion", "kv_b_context", flops, 2.0 * context * width, 0.0)


def _recurrence(plan: Plan, sequences: float, tokens: float) -> Op:
    """Linear attention: each sequence's state is read and written once, each token updates and reads it."""
    model = plan.model
    values = model.linear_num_value_heads * model.linear_value_head_dim / plan.tp
    state = shape.state_bytes_per_sequence(model) / model.linear_attention_layers / plan.tp
    flops = 8.0 * tokens * values * model.linear_key_head_dim
    return Op("recurrence", "linear_attention", flops, 2.0 * sequences * state + 4.0 * tokens * values, 0.0)
