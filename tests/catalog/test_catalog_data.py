"""The catalogues' own data: complete, physical, sourced, and found by the names that people use."""

from __future__ import annotations

import pytest

from simulator.catalog import canonical, load, names

ACCELERATORS = names("accelerators")
MODELS = names("models")


def test_all_that_was_asked_for_is_there() -> None:
    assert len(ACCELERATORS) >= 38 and len(MODELS) >= 38


@pytest.mark.parametrize("name", ACCELERATORS)
def test_accelerators_are_physical_and_sourced(name: str) -> None:
    found = load("accelerators", name)
    assert 0.2e12 < found.hbm_bytes_per_s < 10e12
    assert 10e9 < found.hbm_bytes < 400e9
    assert set(found.peak_flops) <= {"bf16", "fp16", "fp8", "int8", "fp4"}
    assert all(5e13 < value < 2e16 for value in found.peak_flops.values())
    assert found.peak_flops.get("fp8", 1e99) >= found.peak_flops.get("bf16", 0)
    assert 1e9 < found.scaleup_bytes_per_s < 1e12 and found.scaleup_size >= 1
    assert 50 < found.tdp_w < 2000 and 0.1 < found.price_usd_per_hour < 20
    for field in ("peak_flops", "hbm_bytes", "hbm_bytes_per_s", "price_usd_per_hour", "tdp_w", "sms"):
        assert found.sources[field], field


@pytest.mark.parametrize("name", MODELS)
def test_models_are_whole(name: str) -> None:
    found = load("models", name)
    kinds = found.full_attention_layers + found.sliding_layers + found.linear_attention_layers
    assert kinds == found.dense_layers + found.moe_layers == found.num_hidden_layers
    assert found.num_attention_heads % found.num_key_value_heads == 0
    assert (found.num_experts > 0) == (found.moe_layers > 0)
    assert found.source and found.max_position_embeddings >= 2048
    assert found.sliding_window > 0 or not found.sliding_layers


def test_ridge_points_are_those_of_the_datasheets() -> None:
    """Dense bf16 peak over bandwidth: H100 989.4 / 3.35, A100 312 / 2.039, MI300X 1307.4 / 5.325, B200 2250
    / 7.7."""
    for name, ridge in (
        ("h100", 295.3),
        ("a100", 153.0),
        ("mi300x", 245.5),
        ("b200", 292.2),
        ("h200", 206.1),
    ):
        found = load("accelerators", name)
        assert found.peak_flops["bf16"] / found.hbm_bytes_per_s == pytest.approx(ridge, abs=0.1)


@pytest.mark.parametrize(
    ("kind", "alias", "name"),
    [
        ("accelerators", "h100_sxm", "h100-sxm"),
        ("accelerators", "H100", "h100-sxm"),
        ("accelerators", "a100-80gb", "a100-sxm-80"),
        ("accelerators", "a100-80gb-sxm", "a100-sxm-80"),
        ("accelerators", "a100-40gb-sxm", "a100-sxm-40"),
        ("accelerators", "b200_sxm", "b200"),
        ("accelerators", "rtx4090", "rtx-4090"),
        ("accelerators", "rtx-a6000-48gb", "rtx-a6000"),
        ("accelerators", "rtx-pro-6000-blackwell", "rtx-pro-6000-server"),
        ("accelerators", "h800-sxm", "h800-sxm"),
        ("models", "meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b"),
        ("models", "meta-llama/Llama-3.3-70B-Instruct", "llama-3.1-70b"),
        ("models", "facebook/opt-13b", "opt-13b"),
        ("models", "deepseek-ai/DeepSeek-R1", "deepseek-v3"),
        ("models", "mistralai/Mistral-Nemo-Instruct-2407", "mistral-nemo-12b"),
        ("models", "microsoft/Phi-mini-MoE-instruct", "phi-mini-moe"),
    ],
)
def test_aliases_resolve(kind: str, alias: str, name: str) -> None:
    assert canonical(kind, alias) == name


def test_parts_of_a_board_are_not_the_board() -> None:
    """GB200 and GB300 are given per GPU; a pair of MI300X has one of its seven links."""
    assert load("accelerators", "gb200").hbm_bytes < 200e9
    assert "one 64 GB/s link" in load("accelerators", "mi300x").sources["notes"]
