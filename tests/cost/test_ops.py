"""FLOPs, bytes and serial lengths against values computed by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cost import ops
from simulator.cost.shape import Heads


def test_gemm_reads_both_operands_and_writes_the_product_in_bf16() -> None:
    op = ops.gemm("gemm", 10, (300, 2000), 1.0, 1.0)
    assert op.flops == 2 * 10 * 300 * 2000
    assert op.bytes == 300 * 2000 + 10 * 2000 + 2 * 10 * 300
    assert op.lead == 2.0


def test_prefill_attention_of_a_whole_prompt() -> None:
    op = ops.attention_prefill(4, 0, Heads(32, 8, 128, 128), 2.0)
    assert op.flops == 4 * 32 * 128 * (1 + 2 + 3 + 4)
    assert op.bytes == 4 * 128 * (4 * 32 + 4 * 8)
    assert op.lead == 0.004


def test_a_chunk_reads_the_cache_before_it() -> None:
    heads = Heads(32, 8, 128, 128)
    alone, after = ops.attention_prefill(4, 0, heads, 1.0), ops.attention_prefill(4, 100, heads, 1.0)
    assert after.flops - alone.flops == 4 * 32 * 128 * 4 * 100
    assert after.bytes - alone.bytes == 2 * 100 * 8 * 128


@given(st.integers(1, 60), st.integers(0, 60), st.integers(1, 80))
def test_windowed_pairs_are_counted_query_by_query(tokens: int, context: int, window: int) -> None:
    counted = sum(min(context + index, window) for index in range(1, tokens + 1))
    assert ops.pairs(tokens, context, window) == counted


def test_decode_attention_reads_each_key_once() -> None:
    op = ops.attention_decode(3, 3000, Heads(32, 8, 128, 128), 2.0, 132)
    assert op.flops == 4 * 32 * 128 * 3000
    assert op.bytes == 2 * 3000 * 8 * 128 * 2 + 3 * 4 * 32 * 128
    assert op.lead == 3 * 8 / 132


def test_a_window_bounds_the_keys_that_decodes_read() -> None:
    op = ops.attention_decode(2, 2 * 500, Heads(64, 8, 64, 64, 128), 2.0, 132)
    assert op.flops == 4 * 64 * 64 * 2 * 128


def test_absorbed_latent_attention() -> None:
    op = ops.mla_decode(2, 2000, Heads(16, 1, 576, 512), 1.0, 132)
    assert op.flops == 2 * 16 * (576 + 512) * 2000
    assert op.bytes == 2000 * 576 + 2 * 16 * (576 + 512) * 2


def test_latent_prefill() -> None:
    op = ops.mla_prefill(100, 0, Heads(16, 16, 192, 128), 2.0)
    assert op.flops == 2 * 16 * (192 + 128) * 100 * 101 / 2
    assert op.bytes == 100 * 16 * (2 * 192 + 2 * 128) * 2


def test_experts_of_one_rank() -> None:
    experts = ops.Experts(hidden=4096, width=1536, total=128, per_token=8, tp=1, ep=4)
    op = ops.moe(64, experts, 1.0, 32.0, 3.35e12)
    rows = 64 * 8 / 4
    assert op.flops == 6 * rows * 4096 * 1536
    assert op.bytes == 3 * 32 * 4096 * 1536 + rows * (2 * 4096 + 3 * 1536) * 2
    assert op.lead == pytest.approx(64 * 8 * 4096 * 2 / 3.35e6)


@given(st.integers(1, 5000))
def test_random_routing_never_touches_more_experts_than_there_are(tokens: int) -> None:
    experts = ops.Experts(hidden=1, width=1, total=128, per_token=8, tp=1, ep=4)
    hit = ops.expected_experts(tokens, experts)
    assert 0 < hit <= 32
    assert hit <= ops.balanced_experts(tokens, experts) + 1e-9


def test_one_token_touches_its_experts() -> None:
    experts = ops.Experts(hidden=1, width=1, total=128, per_token=8, tp=1, ep=1)
    assert ops.expected_experts(1, experts) == pytest.approx(8)
