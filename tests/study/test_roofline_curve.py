"""Roofs, crossings and the batch curve of real models."""

from __future__ import annotations

import pytest

from simulator import catalog
from simulator.cost import efficiency
from simulator.cost.layout import token_ops
from simulator.scenario.serving import Names, model_spec
from simulator.study.roofline import curve, prefills, roofs
from simulator.study.roofline.replica import Replica, Settings, replica, smallest

BATCHES = (1, 8, 64, 256)


def on(accelerator: str, model: str, quantization: str = "none", size: int = 1) -> Replica:
    spec = model_spec(Names(model, quantization))
    return replica(spec, catalog.load("accelerators", accelerator), size, Settings(8192))


@pytest.mark.parametrize(
    ("accelerator", "dtype", "ridge"),
    [
        ("h100-sxm", "bf16", 295.3),
        ("h100-sxm", "fp8", 590.7),
        ("a100-sxm-80", "bf16", 153.0),
        ("b200", "bf16", 292.2),
    ],
)
def test_ridges_of_the_datasheets(accelerator: str, dtype: str, ridge: float) -> None:
    assert roofs.roof(catalog.load("accelerators", accelerator), dtype).ridge == pytest.approx(
        ridge, rel=1e-3
    )


@pytest.mark.parametrize("name", catalog.names("accelerators"))
def test_what_is_reached_lies_under_the_datasheet(name: str) -> None:
    found = roofs.roofs(catalog.load("accelerators", name))
    assert found
    for roof in found:
        assert 0 < roof.reached_flops_per_s <= roof.flops_per_s
        assert 0 < roof.reached_bytes_per_s <= roof.bytes_per_s
        for intensity in (0.1, roof.ridge, 1e5):
            assert roof.reached(intensity) < roof.attainable(intensity)
        assert roof.attainable(roof.ridge) == pytest.approx(roof.flops_per_s)
        assert roof.source.startswith(roof.kind)


def test_matrices_cross_where_arithmetic_overtakes_their_traffic() -> None:
    found = on("h100-sxm", "llama-3.1-70b")
    crossing = roofs.crossing(found).ideal_tokens
    assert crossing is not None
    peak, bandwidth = efficiency.peak_flops(found.accelerator, "bf16"), found.accelerator.hbm_bytes_per_s

    def excess(tokens: int) -> float:
        ops = [(op, n) for op, n in token_ops(found.cost.plan, tokens) if op.kind == "gemm"]
        return sum(n * (op.flops / peak - op.bytes / bandwidth) for op, n in ops)

    assert excess(crossing) >= 0 > excess(crossing - 1)
    assert crossing == pytest.approx(295.3, rel=0.07)  # the ridge, and a little for the activations


def test_narrow_weights_cross_earlier_unless_the_arithmetic_narrows_too() -> None:
    found = {}
    for name in ("none", "fp8", "w8a16", "int4"):
        found[name] = roofs.crossing(on("h100-sxm", "llama-3.1-70b", name)).ideal_tokens or 0
    assert found["none"] == pytest.approx(found["fp8"], rel=0.05)
    assert found["w8a16"] == pytest.approx(found["none"] / 2, rel=0.05)
    assert 0 < found["int4"] < found["w8a16"]


def test_zones_follow_each_other_up_to_max_num_seqs() -> None:
    found = on("h100-sxm", "llama-3.1-70b", "fp8", 2)
    result = curve.curve(found, BATCHES, 512)
    assert result.zones[0].first == 1
    assert result.zones[-1].last == found.cost.engine.max_num_seqs
    for a, b in zip(result.zones, result.zones[1:]):
        assert b.first == a.last + 1
    names = [zone.name for zone in result.zones]
    assert names == ["near-linear", "bending", "plateau"]
    for row in result.rows:
        zone = next(zone for zone in result.zones if row.step.sequences <= zone.last)
        assert zone.name == row.zone


def test_the_kv_cache_ends_the_curve() -> None:
    found = on("h100-sxm", "llama-3.1-70b", "fp8")
    result = curve.curve(found, BATCHES, 512)
    assert result.room == found.memory.kv_tokens // 512
    assert [row.held for row in result.rows] == [True, True, False, False]
    assert result.room_is == curve.KV_ROOM


def test_max_num_seqs_ends_the_curve_where_memory_does_not() -> None:
    result = curve.curve(on("h100-sxm", "llama-3.1-8b"), BATCHES, 16)
    assert result.room_is == curve.SEQS


def test_experts_bend_the_curve_of_a_mixture() -> None:
    """Each further request touches further experts, whose weights are read."""
    result = curve.curve(on("h200-sxm", "qwen3-30b-a3b"), BATCHES, 128)
    assert curve.WEIGHTS in {zone.grows for zone in result.zones}


def test_long_contexts_bend_the_curve_by_kv_reads() -> None:
    result = curve.curve(on("h100-sxm", "llama-3.1-8b"), BATCHES, 8192)
    assert {zone.grows for zone in result.zones} == {curve.KV}


def test_short_contexts_end_by_compute() -> None:
    result = curve.curve(on("h100-sxm", "llama-3.1-8b"), BATCHES, 16)
    assert result.zones[-1].grows == curve.COMPUTE


def test_prefill_saturates() -> None:
    found = prefills.prefills(on("h100-sxm", "llama-3.1-8b"), 100)
    by_length = {step.tokens: step.tokens_per_s for step in found.by_length}
    assert 100 in by_length
    assert 256 < found.saturated_tokens < 4096
    assert by_length[64] < 0.5 * by_length[found.saturated_tokens]
    several = [step.tokens_per_s for step in found.by_prompts]
    assert several[-1] > 2 * several[0]  # prompts of 100 tokens gain from company


def test_the_smallest_layout_is_the_first_that_fits() -> None:
    spec = model_spec(Names("llama-3.1-70b"))
    found = smallest(spec, catalog.load("accelerators", "h100-sxm"), Settings(4096))
    assert found.gpus == 2
    assert found.memory.kv_tokens >= 4096
    assert replica(spec, found.accelerator, 1, Settings(4096)).memory.num_gpu_blocks == 0
