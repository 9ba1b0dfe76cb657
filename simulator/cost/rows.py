"""A row of measured kernel times as an Op: how benchmark tables write a shape, and what this model makes of
it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simulator.catalog import Accelerator
from simulator.cost import ops
from simulator.cost.ops import MLA_LATENT, MLA_QK, MLA_ROPE, MLA_V, Op
from simulator.cost.shape import Heads

# Bytes of an element: weights with their scales, and what the kernel reads of activations.
WEIGHT = {
    "bf16": 2.0,
    "fp16": 2.0,
    "fp8": 1.0,
    "fp8_block": 1.0,
    "fp4": 0.5625,
    "int4_wo": 0.53,
    "w4a16_mxfp4": 0.53,
    "w4a8_mxfp4_mxfp8": 0.53,
}
# The dtype whose peak a format computes at.
PEAK = {
    "fp8_block": "fp8",
    "int4_wo": "bf16",
    "w4a16_mxfp4": "bf16",
    "w4a8_mxfp4_mxfp8": "fp8",
}
# Experts of two matrices (no gate) among the benchmarked models, by hidden size and width: the Nemotron 3
# family.
UNGATED = {(2688, 1856), (2048, 5120), (1024, 2688)}

Row = Mapping[str, float]


def peak(dtype: str) -> str:
    return PEAK.get(dtype, dtype)


def gemm(row: Row, dtype: str, accelerator: Accelerator) -> Op:
    each = WEIGHT[dtype]
    return ops.gemm("gemm", row["m"], (int(row["n"]), int(row["k"])), each, each)


def attention_prefill(row: Row, dtype: str, accelerator: Accelerator) -> Op:
    return _batch(ops.attention_prefill(row["q_len"], 0, _heads(row), row["kv_bytes"]), row)


def attention_decode(row: Row, dtype: str, accelerator: Accelerator) -> Op:
    sequences = row["batch_size"]
    keys = sequences * row["kv_len"]
    return ops.attention_decode(sequences, keys, _heads(row), row["kv_bytes"], accelerator.sms)


def mla_prefill(row: Row, dtype: str, accelerator: Accelerator) -> Op:
    count = int(row["num_heads"])
    heads = Heads(count, count, MLA_QK, MLA_V)
    return _batch(ops.mla_prefill(row["q_len"], 0, heads, row["kv_bytes"]), row)


def mla_decode(row: Row, dtype: str, accelerator: Accelerator) -> Op:
    sequences, count = row["batch_size"], int(row["num_heads"])
    heads = Heads(count, 1, MLA_LATENT + MLA_ROPE, MLA_LATENT)
    return ops.mla_decode(sequences, sequences * row["kv_len"], heads, row["kv_bytes"], accelerator.sms)


def moe(row: Row, dtype: str, accelerator: Accelerator) -> Op:
    hidden, inter, tokens = int(row["hidden_size"]), int(row["inter_size"]), row["num_tokens"]
    tp, ep = int(row["moe_tp_size"]), int(row["moe_ep_size"])
    matrices = 2 if (hidden, inter) in UNGATED else 3
    experts = ops.Experts(hidden, inter // tp, int(row["num_experts"]), int(row["topk"]), tp, ep, matrices)
    hit = ops.balanced_experts(tokens, experts)
    op = ops.moe(tokens, experts, WEIGHT[dtype], hit, accelerator.hbm_bytes_per_s)
    return op._replace(shape=(*op.shape[:7], row["skew"]))


OPS: dict[str, Callable[[Row, str, Accelerator], Op]] = {
    "gemm": gemm,
    "attention_prefill": attention_prefill,
    "attention_decode": attention_decode,
    "mla_prefill": mla_prefill,
    "mla_decode": mla_decode,
    "moe": moe,
}


def _heads(row: Row) -> Heads:
    dim = int(row["head_dim"])
    return Heads(int(row["num_heads"]), int(row["num_key_value_heads"]), dim, dim, int(row["window_size"]))


def _batch(op: Op, row: Row) -> Op:
    """A batch of equal sequences in one kernel."""
    count = row["batch_size"]
    return op._replace(flops=op.flops * count, bytes=op.bytes * count, shape=(count, *op.shape[1:]))
