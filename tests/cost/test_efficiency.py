"""Which fit prices which op, and what an accelerator without rows of its own takes instead."""

from __future__ import annotations

from dataclasses import replace

import pytest
from specs import cost

from simulator.catalog import fits, load, names
from simulator.cost import efficiency, ops


def test_an_accelerator_takes_its_own_fit_vllm_first() -> None:
    rate = efficiency.rate("gemm", load("accelerators", "a100"), "bf16")
    assert rate.kind == "fitted"
    assert "a100-sxm-80 vllm" in rate.source
    assert rate.fit is not None and rate.fit.eff_compute == 0.8216


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        ("mi300x", "h100-sxm"),
        ("h20", "h100-sxm"),
        ("gh200-96", "h100-sxm"),
        ("a10", "a40"),
        ("l4", "l40s"),
        ("rtx-5090", "rtx-pro-6000-server"),
        ("rtx-4090", "rtx-pro-6000-server"),
        ("t4", "a100-sxm-80"),
        ("gaudi-3", "h100-sxm"),
    ],
)
def test_others_take_their_nearest_relatives_with_its_larger_error(name: str, whose: str) -> None:
    rate = efficiency.rate("gemm", load("accelerators", name), "bf16")
    assert rate.kind == "assumed"
    assert f"assumed: fit of {whose}" in rate.source
    assert rate.median_pct >= 14 and rate.p90_pct >= 44


def test_every_accelerator_can_price_every_op() -> None:
    for name in names("accelerators"):
        hardware = load("accelerators", name)
        for op in ("gemm", "moe", "elementwise:mlp_act"):
            assert efficiency.rate(op, hardware, "bf16").s_per_byte > 0
        for op in ("attention_prefill", "attention_decode", "mla_prefill", "mla_decode"):
            for kv_dtype in ("bf16", "fp8"):
                assert efficiency.rate(op, hardware, "bf16", kv_dtype=kv_dtype, head_dim=128).s_per_byte > 0
        for kind in ("all_reduce", "all_gather", "alltoall"):
            op = ops.collective("x", kind, 1e6)
            assert (
                efficiency.link_rate(kind, hardware, 4).seconds(op)
                > 1e6 / 2 / hardware.scaleup_bytes_per_s / 2
            )


def test_memory_is_never_faster_than_it_can_be() -> None:
    for name in names("accelerators"):
        hardware = load("accelerators", name)
        assert (
            efficiency.rate("gemm", hardware, "fp8", peak="bf16").s_per_byte
            >= 1 / 0.95 / hardware.hbm_bytes_per_s
        )


def test_a_new_accelerator_takes_what_its_architecture_has() -> None:
    new = replace(load("accelerators", "h100-sxm"), name="h123", architecture="Hopper")
    assert "assumed: fit of h100-sxm" in efficiency.rate("gemm", new, "bf16").source
    strange = replace(new, architecture="Zilog")
    assert "assumed: fit of h100-sxm" in efficiency.rate("gemm", strange, "bf16").source


def test_formula_of_a_gemm_by_hand() -> None:
    """H100, bf16, vLLM: 0.8388 of 989.4 TFLOPS, 0.9307 of 3.35 TB/s, 3.426 us and 0.176 us a thousand of
    k."""
    rate = efficiency.rate("gemm", load("accelerators", "h100"), "bf16")
    compute = 2 * 256 * 4096 * 4096 / (0.8388 * 989.4e12)
    memory = 2 * (4096 * 4096 + 2 * 256 * 4096) / (0.9307 * 3.35e12)
    expected = (compute**2 + memory**2) ** 0.5 + 3.426e-6 + 0.176e-6 * 4.096
    assert rate.seconds(ops.gemm("x", 256, (4096, 4096), 2, 2)) == pytest.approx(expected, rel=1e-12)


def test_fp8_gemms_compute_whole_tiles_of_rows() -> None:
    assert [efficiency.tiled_rows(rows, 256) for rows in (1, 16, 17, 65, 128, 129, 256, 257, 600)] == [
        16, 16, 64, 128, 128, 256, 256, 512, 768,
    ]  # fmt: skip
    rate = efficiency.rate("gemm", load("accelerators", "h100"), "fp8")
    assert rate.row_tile == 256
    just_above, full = (rate.parts(ops.gemm("x", m, (16384, 8192), 1, 1))[0] for m in (257, 512))
    assert just_above == pytest.approx(full)


def test_narrow_gemms_narrow_their_activations() -> None:
    """H100 FP8: each of m × k is read in 2 bytes and written in 1, at eff_quantize of the bandwidth."""
    rate = efficiency.rate("gemm", load("accelerators", "h100"), "fp8")
    assert rate.fit is not None and 0.1 < rate.fit.eff_quantize < 1.2
    op = ops.gemm("x", 1024, (4096, 8192), 1, 1)
    without = replace(rate, s_per_narrowed=0.0)
    expected = 3.0 * 1024 * 8192 / (rate.fit.eff_quantize * 3.35e12)
    assert rate.seconds(op) - without.seconds(op) == pytest.approx(expected)
    assert efficiency.rate("gemm", load("accelerators", "h100"), "bf16").s_per_narrowed == 0.0


def test_narrow_experts_are_worked_on_in_strips() -> None:
    rate = replace(efficiency.rate("moe", load("accelerators", "h100"), "bf16"), width_tile=128)
    wide, narrow = (
        ops.moe(512, ops.Experts(4096, width, 128, 8, 1, 1), 2, 128, 3.35e12) for width in (128, 96)
    )
    assert rate.parts(narrow)[0] == pytest.approx(rate.parts(wide)[0])
    assert rate.parts(narrow)[1] >= rate.parts(wide)[1]


def test_all_reduce_takes_the_faster_algorithm() -> None:
    """H100, 8 GPUs, in a graph: 4.699 us + 7x/0.6581 or 11.17 us + 1.75x/0.9442."""
    rate = efficiency.link_rate("all_reduce", load("accelerators", "h100"), 8)
    for size in (1e4, 1e6, 1e8):
        x = size / 450e9
        expected = min(4.699e-6 + 7 * x / 0.6581, 11.17e-6 + 1.75 * x / 0.9442)
        assert rate.seconds(ops.collective("x", "all_reduce", size)) == pytest.approx(expected, rel=1e-9)


def test_a_pair_in_a_mesh_has_one_link() -> None:
    mi300x = load("accelerators", "mi300x")
    assert efficiency.link_bytes_per_s(mi300x, 2) == pytest.approx(64e9)
    assert efficiency.link_bytes_per_s(mi300x, 8) == pytest.approx(448e9)


def test_every_fit_is_physical_and_carries_its_error() -> None:
    for rows in fits.kernels().values():
        for fit in rows:
            assert 0 < fit.eff_compute <= 2.0 and 0 < fit.eff_memory <= 2.05, fit
            assert 0 <= fit.t0_s < 5e-4 and 0 <= fit.tail_s < 1e-4, fit
            assert fit.p in (1.0, 2.0) and fit.median_pct > 0 and fit.p90_pct >= fit.median_pct, fit


@pytest.mark.parametrize("name", ["h100-sxm", "h200-sxm", "h20", "mi300x"])
@pytest.mark.parametrize("quantization", ["fp8", "int8"])
def test_a_slow_kernel_for_experts_is_neither_taken_nor_borrowed(name: str, quantization: str) -> None:
    """vLLM's per-tensor FP8 experts on Hopper reach 13 to 18 % of the bandwidth, other formats 66 to 89."""
    model = cost("qwen3-30b-a3b", quantization, name)
    rate = model.rates.of(ops.moe(64, ops.Experts(2048, 768, 128, 8, 1, 1), 1.0, 100.0, 3e12))
    assert "trtllm" in rate.source
    assert rate.s_per_byte * load("accelerators", name).hbm_bytes_per_s < 1.3
