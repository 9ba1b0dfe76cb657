"""Operating points: hand-computed ideals, conservation, and parts that add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import catalog
from simulator.cost import shape
from simulator.cost.work import Work
from simulator.scenario.serving import Names, model_spec
from simulator.study.roofline import steps
from simulator.study.roofline.replica import Replica, Settings, replica

PEAK, BANDWIDTH = 1978.9e12, 3.35e12  # H100 SXM: dense fp8 FLOP/s, byte/s


def on_h100(model: str = "llama-3.1-70b", quantization: str = "fp8", size: int = 1) -> Replica:
    spec = model_spec(Names(model, quantization))
    return replica(spec, catalog.load("accelerators", "h100-sxm"), size, Settings(8192))


def test_one_ideal_decode_is_its_weights_over_the_bandwidth() -> None:
    """Llama-3.1 70B: layers once at a byte a weight, the output matrix at two, 512 keys of 327,680 bytes."""
    found = steps.decode(on_h100(), 1, 512)
    count = shape.parameters(on_h100().model.shape)
    least = (count.linear + 2 * count.head + 512 * 327_680) / BANDWIDTH
    assert found.ideal_s == pytest.approx(least, rel=2e-3)
    assert found.ideal_tokens_per_s == pytest.approx(47.3, rel=2e-3)


@pytest.mark.parametrize(("quantization", "each"), [("none", 1.0), ("fp8", 2.0), ("int4", 2 / 0.53)])
def test_intensity_of_the_layers_is_two_flops_a_weight(quantization: str, each: float) -> None:
    alone = steps.decode(on_h100(quantization=quantization), 1, 512).part(steps.LAYERS)
    many = steps.decode(on_h100(quantization=quantization), 8, 512).part(steps.LAYERS)
    assert alone.intensity == pytest.approx(each, rel=0.01)
    assert many.intensity == pytest.approx(8 * each, rel=0.02)


def test_intensity_of_attention_is_query_heads_a_kv_head_at_any_batch() -> None:
    for batch in (1, 64):
        attention = steps.decode(on_h100(), batch, 4096).part(steps.ATTENTION)
        assert attention.intensity == pytest.approx(64 / 8, rel=0.01)


@pytest.mark.parametrize("model", ["llama-3.1-8b", "deepseek-v3", "gpt-oss-20b", "qwen3.5-27b"])
@pytest.mark.parametrize("batch", [1, 33])
def test_parts_add_up_to_the_price(model: str, batch: int) -> None:
    on = on_h100(model, "none", 1)
    found = steps.decode(on, batch, 700)
    price = on.cost.price(Work(batch, batch * 700, (), batch))
    assert found.seconds == pytest.approx(price.seconds, rel=1e-9)
    assert found.flops == pytest.approx(price.flops, rel=1e-6)
    links = found.part(steps.LINKS).bytes  # over NVLink, not from memory
    assert found.bytes == pytest.approx(price.bytes - links, rel=1e-6)
    assert found.kernel_s == pytest.approx(price.seconds - on.cost.overhead_s(batch), rel=1e-9)


def test_ideal_uses_each_part_s_own_peak() -> None:
    """Layers compute in fp8, attention in bf16."""
    found = steps.prefill(on_h100(), 4096)
    layers, attention = found.part(steps.LAYERS), found.part(steps.ATTENTION)
    assert layers.ideal_s == pytest.approx(layers.flops / PEAK, rel=1e-6)
    assert attention.ideal_s == pytest.approx(attention.flops / 989.4e12, rel=1e-6)
    assert found.mfu == pytest.approx(found.flops / found.seconds / PEAK)


def test_tensor_parallel_halves_the_work_and_adds_the_links() -> None:
    one, two = steps.decode(on_h100(), 16, 512), steps.decode(on_h100(size=2), 16, 512)
    assert two.part(steps.LAYERS).ideal_s == pytest.approx(one.part(steps.LAYERS).ideal_s / 2, rel=0.01)
    assert two.part(steps.LAYERS).flops == pytest.approx(one.part(steps.LAYERS).flops)
    assert one.part(steps.LINKS).bytes == 0
    links = two.part(steps.LINKS)
    # 2 × 80 + 1 all-reduces of 16 × 8,192 bf16 values, a ring's 2(n − 1)/n over 450 GB/s, and the logits
    reduced = 161 * 16 * 8192 * 2 * 1.0 / 450e9
    gathered = 16 * 128_256 * 2 * 0.5 / 450e9
    assert links.ideal_s == pytest.approx(reduced + gathered, rel=1e-3)


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=20), st.integers(1, 3000))
def test_packing_loses_no_token_and_fills_every_step(prompts: list[int], budget: int) -> None:
    works = steps.packed(prompts, budget)
    sizes = [sum(size for size, _ in work.chunks) for work in works]
    assert sum(sizes) == sum(prompts)
    assert all(size == budget for size in sizes[:-1])
    assert sizes[-1] <= budget
    assert sum(work.samples for work in works) == len(prompts)
    done = 0
    for size, before in (chunk for work in works for chunk in work.chunks):
        done = done + size if before else size
        assert done == before + size


def test_a_prompt_over_the_budget_takes_several_steps() -> None:
    on = on_h100("llama-3.1-8b", "none")
    budget = on.cost.engine.max_num_batched_tokens
    found = steps.prefill(on, budget + 100)
    first = on.cost.price(Work(0, 0, ((budget, 0),), 0)).seconds
    second = on.cost.price(Work(0, 0, ((100, budget),), 1)).seconds
    assert found.seconds == pytest.approx(first + second)
    assert found.tokens == budget + 100
