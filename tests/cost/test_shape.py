"""Parameter counts, weight bytes, KV bytes and FLOPs a token of every catalogued model against its published
shape.

The figures were computed from the same config.json files by another program and agree with published counts
within 1.3 % (source: config.json of each model, as named in the catalogue).
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from simulator.catalog import load
from simulator.cost import shape


class Facts(NamedTuple):
    """Billions of parameters in all and active; GB with 8-bit layers and 16-bit embeddings; KV bytes a token
    (bf16) of full and of sliding layers; bytes of recurrent state a sequence; FLOPs a token without
    attention."""

    model: str
    total_b: float
    active_b: float
    fp8_gb: float
    kv_full: float
    kv_sliding: float
    state: float
    flops: float


FACTS = [
    Facts("llama-3.1-8b", 8.03, 8.03, 9.08, 131072, 0, 0, 15009849344),
    Facts("llama-3.1-70b", 70.554, 70.554, 72.66, 327680, 0, 0, 139006066688),
    Facts("llama-3.1-405b", 405.853, 405.853, 410.06, 516096, 0, 0, 807504084992),
    Facts("qwen3-0.6b", 0.596, 0.596, 0.75, 114688, 0, 0, 1192085504),
    Facts("qwen3-1.7b", 1.721, 1.721, 2.03, 114688, 0, 0, 3441135616),
    Facts("qwen3-8b", 8.191, 8.191, 9.44, 147456, 0, 0, 15136792576),
    Facts("qwen3-32b", 32.762, 32.762, 34.32, 262144, 0, 0, 63968389120),
    Facts("qwen3-30b-a3b", 30.532, 3.353, 31.15, 98304, 0, 0, 6083710976),
    Facts("qwen3-235b-a22b", 235.094, 22.191, 236.34, 192512, 0, 0, 43136819200),
    Facts("qwen3-coder-480b-a35b", 480.155, 35.475, 482.02, 253952, 0, 0, 69082509312),
    Facts("mixtral-8x7b", 46.703, 12.88, 46.96, 131072, 0, 0, 25497706496),
    Facts("mixtral-8x22b", 140.621, 39.152, 141.01, 229376, 0, 0, 77910847488),
    Facts("gpt-oss-20b", 20.908, 4.186, 22.07, 24576, 24576, 0, 7214567040),
    Facts("gpt-oss-120b", 116.789, 5.71, 117.95, 36864, 36864, 0, 10262620800),
    Facts("deepseek-v3", 671.026, 37.552, 672.88, 70272, 0, 0, 73250957312),
    Facts("deepseek-v3.2", 671.878, 38.404, 673.73, 70272, 0, 0, 74953975808),
    Facts("kimi-k2", 1026.408, 32.861, 1028.76, 70272, 0, 0, 63373895680),
    Facts("glm-5", 743.911, 41.784, 745.81, 89856, 0, 0, 81665814528),
    Facts("minimax-m2.5", 228.689, 11.03, 229.92, 253952, 0, 0, 20830992384),
    Facts("llama-4-scout", 107.77, 17.173, 109.84, 196608, 0, 0, 32276817920),
    Facts("llama-4-maverick", 400.712, 17.185, 402.78, 196608, 0, 0, 32300410880),
    Facts("mimo-v2-flash", 308.779, 15.446, 310.03, 23040, 199680, 0, 29641940992),
    Facts("gemma-4-26b-a4b", 25.233, 3.822, 25.97, 20480, 204800, 0, 7644003840),
    Facts("qwen3.5-397b-a17b", 396.346, 17.349, 398.38, 30720, 0, 192061440, 32663805952),
    Facts("qwen3.5-122b-a10b", 122.112, 9.771, 123.64, 24576, 0, 153649152, 18016868352),
    Facts("qwen3.5-35b-a3b", 34.661, 3.455, 35.68, 20480, 0, 64389120, 5892837376),
    Facts("qwen3.5-27b", 26.896, 26.896, 29.44, 65536, 0, 153944064, 51249162240),
    Facts("llama-2-7b", 6.738, 6.738, 7.0, 524288, 0, 0, 13214687232),
    Facts("llama-2-70b", 68.977, 68.977, 69.5, 327680, 0, 0, 137429008384),
    Facts("codellama-34b", 33.744, 33.744, 34.27, 196608, 0, 0, 66963652608),
    Facts("mistral-7b", 7.248, 7.248, 7.52, 131072, 0, 0, 14227611648),
]


@pytest.mark.parametrize("facts", FACTS, ids=lambda facts: facts.model)
def test_shape_gives_the_published_figures(facts: Facts) -> None:
    model = load("models", facts.model)
    count = shape.parameters(model)
    assert count.total / 1e9 == pytest.approx(facts.total_b, abs=0.0011)
    assert count.active / 1e9 == pytest.approx(facts.active_b, abs=0.0011)
    # routers stay in 16 bits here, in 8 there: up to a thousandth of the weights
    assert shape.weight_bytes(model, "fp8") / 1e9 == pytest.approx(facts.fp8_gb, rel=1.2e-3, abs=0.006)
    full = model.full_attention_layers * shape.kv_bytes_per_token(model, shape.FULL, "bf16")
    sliding = model.sliding_layers * shape.kv_bytes_per_token(model, shape.SLIDING, "bf16")
    assert (full, sliding) == (facts.kv_full, facts.kv_sliding)
    assert shape.state_bytes_per_sequence(model) == facts.state
    assert shape.flops_per_token(model) == pytest.approx(facts.flops, rel=4e-5)


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("opt-13b", 12.85),
        ("llama-13b", 13.02),
        ("qwen3-14b", 14.77),
        ("mistral-nemo", 12.25),
        ("qwen2.5-7b", 7.62),
        ("phi-mini-moe", 7.65),
        ("yi-34b", 34.39),
    ],
)
def test_recalled_shapes_have_the_published_number_of_parameters(name: str, billions: float) -> None:
    assert shape.parameters(load("models", name)).total / 1e9 == pytest.approx(billions, rel=0.01)


def test_heads_are_shared_by_ranks_and_copied_when_ranks_outnumber_them() -> None:
    model = load("models", "llama-3.1-8b")
    assert shape.heads(model, shape.FULL, 4)[:2] == (8, 2)
    assert shape.heads(model, shape.FULL, 16)[:2] == (2, 1)


def test_weights_narrow_with_their_format_and_embeddings_do_not() -> None:
    model = load("models", "llama-3.1-70b")
    bf16, fp8, fp4 = (shape.weight_bytes(model, dtype) for dtype in ("bf16", "fp8", "fp4"))
    count = shape.parameters(model)
    assert bf16 - fp8 == count.linear
    assert fp4 == pytest.approx(bf16 - count.linear * (2.0 - 0.5625))


def test_latent_attention_caches_one_latent_whatever_the_heads() -> None:
    model = load("models", "deepseek-v3")
    assert shape.kv_bytes_per_token(model, shape.FULL, "bf16", tp=1) == (512 + 64) * 2
    assert shape.kv_bytes_per_token(model, shape.FULL, "fp8", tp=8) == 512 + 64
