"""The cost model: decode lines, mixed steps, what is shared, and what may not get cheaper."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from specs import cost, engine, served

from simulator.catalog import load
from simulator.cost import graphs, roofline
from simulator.cost.chunks import chunk_cost
from simulator.cost.layout import chunk_ops, decode_ops
from simulator.cost.work import Work
from simulator.scenario.resolved import Layout

COSTS = {
    "dense": cost,
    "tensor parallel": lambda: cost("llama-3.1-70b", "fp8", layout=Layout(4)),
    "experts": lambda: cost("mixtral-8x7b", layout=Layout(2)),
    "latent": lambda: cost("deepseek-v3", "fp8_block", "h200-sxm", Layout(8)),
    "indexed": lambda: cost("glm-5", "fp8_block", "h200-sxm", Layout(8)),
    "windows": lambda: cost("gpt-oss-120b", accelerator="b200", layout=Layout(2)),
    "linear": lambda: cost("qwen3.5-27b", layout=Layout(2)),
    "assumed": lambda: cost(accelerator="mi300x"),
    "eager": lambda: cost(enforce_eager=True),
    "data parallel": lambda: cost("qwen3-30b-a3b", layout=Layout(1, 1, 4, True)),
    "stages": lambda: cost("llama-3.1-70b", layout=Layout(2, 2)),
}
EACH = pytest.mark.parametrize("name", COSTS)
decodes = st.integers(1, 1024)
contexts = st.integers(1, 100_000)


@EACH
@settings(max_examples=60)
@given(count=decodes, context=contexts, extra=st.integers(0, 1023))
def test_a_decode_step_costs_its_line(name: str, count: int, context: int, extra: int) -> None:
    model, keys = COSTS[name](), count * context + extra % count
    line = model.decode_line(count, keys)
    price = model.price(Work(count, keys, (), count))
    assert keys <= line.until_tokens
    assert price.seconds == line.base_s + line.per_token_s * keys
    assert price.flops == line.base_flops + line.per_token_flops * keys
    assert price.bytes == line.base_bytes + line.per_token_bytes * keys


@EACH
@settings(max_examples=60)
@given(count=decodes, context=contexts)
def test_lines_meet_at_their_ends(name: str, count: int, context: int) -> None:
    model = COSTS[name]()
    line = model.decode_line(count, count * context)
    end = int(line.until_tokens)
    after = model.decode_line(count, end + 1)
    assert model.decode_line(count, end) == line
    assert after.until_tokens > end
    assert after.base_s + after.per_token_s * end == pytest.approx(
        line.base_s + line.per_token_s * end, rel=1e-9
    )
    assert after.base_bytes + after.per_token_bytes * end == pytest.approx(
        line.base_bytes + line.per_token_bytes * end, rel=1e-9
    )


@pytest.mark.parametrize("name", [name for name in COSTS if name != "data parallel"])
@settings(max_examples=40)
@given(count=decodes, context=st.integers(2, 60_000))
def test_lines_stay_within_a_hundredth_of_the_curve(name: str, count: int, context: int) -> None:
    model, keys = COSTS[name](), count * context
    line = model.decode_line(count, keys)
    rest = model.price(Work(count, count, (), count)).seconds - model.rates.total(
        decode_ops(model.plan, count, count)
    )
    exact = rest + model.rates.total(decode_ops(model.plan, count, keys))
    assert line.base_s + line.per_token_s * keys == pytest.approx(exact, rel=0.01)


@EACH
@settings(max_examples=40)
@given(count=decodes, context=contexts, more=st.integers(1, 50_000))
def test_longer_contexts_are_never_cheaper(name: str, count: int, context: int, more: int) -> None:
    model = COSTS[name]()
    short = model.price(Work(count, count * context, (), count)).seconds
    assert model.price(Work(count, count * (context + more), (), count)).seconds >= short * 0.97


@EACH
@settings(max_examples=40)
@given(tokens=st.integers(1, 8000), more=st.integers(1, 4000), context=st.integers(0, 20_000))
def test_larger_chunks_are_hardly_ever_cheaper(name: str, tokens: int, more: int, context: int) -> None:
    """Kernels with whole tiles, and measured corrections, may dip; a tenth covers all but FP8's alignment."""
    model = cost(name) if name not in COSTS else COSTS[name]()
    larger = min(8192, tokens + more)
    small = model.price(Work(0, 0, ((tokens, context),), 1)).seconds
    slack = 0.6 if model.plan.precision.peak == "fp8" else 0.85
    assert model.price(Work(0, 0, ((larger, context),), 1)).seconds >= small * slack


@EACH
@settings(max_examples=30)
@given(size=st.integers(1, 8192), context=st.integers(0, 50_000))
def test_closed_form_of_a_chunk_is_what_its_ops_cost(name: str, size: int, context: int) -> None:
    model = COSTS[name]()
    seconds, flops, moved = chunk_cost(model.rates, 8192)(size, context)
    ops = chunk_ops(model.plan, size, context)
    ranks = model.plan.ranks
    exact = sum(count * model.rates.of(op).seconds(op) for op, count in ops)
    assert flops == pytest.approx(ranks * sum(count * op.flops for op, count in ops), rel=1e-9)
    assert moved == pytest.approx(ranks * sum(count * op.bytes for op, count in ops), rel=1e-9)
    assert 0.4 < seconds / exact < 2.5


@settings(max_examples=30)
@given(size=st.integers(1, 8192), context=st.integers(0, 50_000))
def test_uncorrected_closed_form_is_exact(size: int, context: int) -> None:
    model = cost("gpt-oss-20b", correction="none")
    exact = model.rates.total(chunk_ops(model.plan, size, context))
    assert chunk_cost(model.rates, 8192)(size, context)[0] == pytest.approx(exact, rel=1e-9)


@EACH
def test_explained_ops_add_up_to_the_price(name: str) -> None:
    model = COSTS[name]()
    for work in (
        Work(7, 7 * 900, (), 7),
        Work(5, 5 * 700, ((1000, 300), (17, 0)), 6),
        Work(0, 0, ((8000, 0),), 1),
    ):
        rows, price = model.explain(work), model.price(work)
        assert sum(row.seconds for row in rows) == pytest.approx(price.seconds, rel=1e-12)
        assert all(row.source and row.bound in ("compute", "memory", "link", "overhead") for row in rows)
        assert abs(rows[-1].seconds) < 0.01 * price.seconds


def test_a_mixed_step_pays_chunks_and_decodes_over_shared_weights() -> None:
    model = cost()
    decode = model.price(Work(32, 32 * 1000, (), 32)).seconds
    prefill = model.price(Work(0, 0, ((480, 0),), 1)).seconds
    mixed = model.price(Work(32, 32 * 1000, ((480, 0),), 33)).seconds
    assert max(decode, prefill) < mixed < decode + prefill


def test_equal_settings_share_tables_and_others_do_not() -> None:
    assert cost() is cost()
    assert cost() is not cost(correction="none")
    accelerator = load("accelerators", "h100")
    assert roofline.build(served(), accelerator, Layout(), engine()) is cost()


def test_graphs_pad_the_batch_and_eager_mode_waits_for_launches() -> None:
    model, eager = cost(), cost(enforce_eager=True)
    assert [model.tokens.worked(size) for size in (3, 9, 257)] == [[(4, 1.0)], [(16, 1.0)], [(272, 1.0)]]
    assert sum(weight for _, weight in model.tokens.worked(700)) == pytest.approx(1.0)
    assert eager.tokens.largest == 0
    one = Work(1, 100, (), 1)
    assert eager.price(one).seconds >= graphs.launch_s(32)
    same = [model.price(Work(0, 0, ((tokens, 0),), 1)).bytes for tokens in (9, 16)]
    assert same[0] == pytest.approx(same[1], rel=1e-3)


def test_capture_sizes_follow_the_engine() -> None:
    h100, b200 = load("accelerators", "h100-sxm"), load("accelerators", "b200")
    sizes = graphs.capture_sizes(engine(), h100)
    assert sizes[:5] == [1, 2, 4, 8, 16] and 248 in sizes and 256 in sizes and sizes[-1] == 512
    assert graphs.capture_sizes(engine(), b200)[-1] == 1024
    assert graphs.capture_sizes(engine(max_num_seqs=100), h100)[-1] == 200
    assert 100 in graphs.capture_sizes(engine(max_num_seqs=100), h100)
    assert graphs.capture_sizes(engine(max_num_batched_tokens=60), h100)[-1] == 60


def test_asynchronous_scheduling_hides_the_cpu() -> None:
    one = Work(1, 100, (), 1)
    assert cost(async_scheduling=False).price(one).seconds - cost().price(one).seconds == pytest.approx(
        0.001505
    )
    assert cost(planner="vllm_v0").price(one).seconds > cost(async_scheduling=False).price(one).seconds


def test_provenance_names_a_source_and_an_error_for_every_op() -> None:
    for name, model in COSTS.items():
        provenance = model().provenance
        assert {"gemm", "lm_head", "norm"} <= set(provenance["ops"]), name
        assert all(op["source"] and op["median_pct"] > 0 for op in provenance["ops"].values())
    assert all(op["kind"] == "assumed" for op in cost(accelerator="mi300x").provenance["ops"].values())
    assert cost().provenance["ops"]["gemm"]["kind"] == "fitted"


def test_data_parallel_ranks_share_the_decodes_and_the_busiest_sets_the_pace() -> None:
    spread, alone = cost("qwen3-30b-a3b", layout=Layout(1, 1, 4, True)), cost("qwen3-30b-a3b")
    assert (
        spread.price(Work(64, 64 * 1000, (), 64)).seconds < alone.price(Work(64, 64 * 1000, (), 64)).seconds
    )
    even = spread.price(Work(0, 0, ((1024, 0),) * 4, 4)).seconds
    assert spread.price(Work(0, 0, ((4096, 0),), 1)).seconds > 1.5 * even


def test_an_indexer_bounds_the_latents_that_are_read() -> None:
    """GLM-5 attends to 2048 keys and scores all of them; DeepSeek V3 attends to all."""
    indexed, full = (
        {
            row.name: row
            for row in cost(name, "fp8_block", "h200-sxm", Layout(8)).explain(Work(8, 8 * 20000, (), 8))
        }
        for name in ("glm-5", "deepseek-v3")
    )
    assert indexed["mla_decode"].bytes < 0.2 * full["mla_decode"].bytes
    assert indexed["indexer"].flops == 2 * 32 * 128 * 8 * 20000 * 78 * 8
    assert "indexer" not in full


def test_other_engines_are_priced_with_their_own_kernels() -> None:
    sglang = cost(preset="sglang-0.5").provenance["ops"]["gemm"]["source"]
    assert "sglang" in sglang and "vllm" in cost().provenance["ops"]["gemm"]["source"]


def test_ideal_bounds_hold() -> None:
    """No step beats its weights over the bandwidth, nor its FLOPs over the peak."""
    model, hardware = cost("llama-3.1-70b", layout=Layout(4)), load("accelerators", "h100-sxm")
    decode, prefill = model.price(Work(1, 10, (), 1)), model.price(Work(0, 0, ((8192, 0),), 1))
    assert decode.seconds > decode.bytes / 4 / hardware.hbm_bytes_per_s
    assert prefill.seconds > prefill.flops / 4 / hardware.peak_flops["bf16"]
    assert math.isclose(decode.flops, 139.0e9, rel_tol=0.02)
