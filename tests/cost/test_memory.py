"""What fits, how many blocks are left, and what an error says of what does not."""

from __future__ import annotations

import math

import pytest
from specs import engine, served

from simulator.catalog import load
from simulator.cost import memory, shape
from simulator.errors import InputError
from simulator.scenario.resolved import Layout

H100 = load("accelerators", "h100-sxm")


def refusal(*args: object, **changes: object) -> str:
    with pytest.raises(InputError) as caught:
        memory.fit(*args, engine(**changes))  # type: ignore[arg-type]  # the pieces of one call, spread over tests
    return str(caught.value)


def test_blocks_are_what_weights_and_working_memory_leave() -> None:
    model, settings = served(), engine()
    found = memory.fit(model, H100, Layout(), settings)
    assert found.weight_bytes == shape.weight_bytes(model.shape, "bf16")
    assert found.kv_bytes_per_token == 131072
    assert found.block_bytes == 16 * 131072
    held = found.weight_bytes + found.activation_bytes + found.graph_bytes + found.non_framework_bytes
    assert found.kv_bytes == math.ceil(H100.hbm_bytes * 0.92) - held
    assert found.num_gpu_blocks == math.floor(found.kv_bytes / found.block_bytes)


def test_activations_match_what_engines_report() -> None:
    """vLLM reports 1.2 to 1.4 GB for an 8B model at 8192 tokens and 256 sequences (start-up logs in public
    issues)."""
    found = memory.measure(served(), H100, Layout(), engine(max_num_seqs=256))
    assert 1.1e9 < found.activation_bytes < 1.5e9


def test_ranks_share_weights_and_kv_heads_until_there_is_one_each() -> None:
    model, settings = served("llama-3.1-70b"), engine()
    two, eight = (memory.fit(model, H100, Layout(tp), settings) for tp in (2, 8))
    assert two.kv_bytes_per_token == 327680 / 2
    assert eight.kv_bytes_per_token == 327680 / 8
    assert eight.weight_bytes == pytest.approx(141.1e9 / 8, rel=0.01)
    assert memory.kv_bytes_per_token_per_rank(served("qwen3-235b-a22b"), Layout(8), settings) == 192512 / 4


def test_pipeline_stages_hold_their_layers() -> None:
    model = served("llama-3.1-70b")
    one, two = (memory.weight_bytes_per_rank(model, Layout(2, pp)) for pp in (1, 2))
    assert two == pytest.approx(one / 2, rel=0.02)


def test_data_parallel_ranks_have_blocks_of_their_own_and_share_experts() -> None:
    model, settings = served("qwen3-30b-a3b"), engine()
    one, four = (memory.fit(model, H100, Layout(1, 1, dp, True), settings) for dp in (1, 4))
    assert four.num_gpu_blocks > one.num_gpu_blocks
    assert four.kv_tokens == 4 * 16 * (four.num_gpu_blocks - 1)
    assert four.weight_bytes < one.weight_bytes / 2
    given = memory.fit(model, H100, Layout(1, 1, 4, True), engine(num_gpu_blocks_override=9000))
    assert (given.num_gpu_blocks, given.kv_tokens) == (9000, 4 * 8999 * 16)


def test_narrow_caches_hold_more() -> None:
    wide, narrow = (memory.fit(served(kv_dtype=dtype), H100, Layout(), engine()) for dtype in ("bf16", "fp8"))
    assert narrow.num_gpu_blocks == pytest.approx(2 * wide.num_gpu_blocks, abs=2)


def test_blocks_can_be_given() -> None:
    given = memory.fit(served(), H100, Layout(), engine(num_gpu_blocks_override=2588))
    assert (given.num_gpu_blocks, given.kv_tokens) == (2588, 2587 * 16)
    by_bytes = memory.fit(served(), H100, Layout(), engine(kv_cache_memory_bytes=10e9))
    assert by_bytes.num_gpu_blocks == math.floor(10e9 / (16 * 131072))


def test_too_large_a_model_is_told_by_how_much_and_which_tp_fits() -> None:
    text = refusal(served("mixtral-8x7b"), H100, Layout())
    assert "GB a worker are missing" in text
    assert "tensor_parallel_size: 2 fits" in text
    found = refusal(served("llama-3.1-405b"), H100, Layout(8))
    assert "no tensor_parallel_size up to 8 fits" in found


def test_a_request_of_full_length_must_fit() -> None:
    text = refusal(served("llama-3.1-70b", "fp8"), H100, Layout(), max_model_len=65536)
    assert "max_model_len 65536" in text
    assert (
        memory.fit(served("llama-3.1-70b", "fp8"), H100, Layout(), engine(max_model_len=4096)).kv_tokens
        >= 4096
    )
    text = refusal(served(), H100, Layout(), num_gpu_blocks_override=100)
    assert "does not fit num_gpu_blocks_override: 100 blocks" in text


@pytest.mark.parametrize(
    ("model", "layout", "said", "hint"),
    [
        ("llama-3.1-70b", Layout(3), "does not divide 64 attention heads", "the nearest that works is 4"),
        ("qwen2.5-7b", Layout(8), "28 attention heads", "4"),
        ("llama-3.1-8b", Layout(16), "exceeds the 8 accelerators", "8"),
        ("qwen3-30b-a3b", Layout(1, 1, 7, True), "cannot be spread evenly over 7 ranks", "8 ranks"),
        ("mixtral-8x7b", Layout(2, 1, 8, True), "cannot be spread evenly over 16 ranks", "8 ranks"),
        ("llama-3.1-8b", Layout(1, 33), "exceeds the 32 layers", "32"),
        ("llama-3.1-8b", Layout(2, 1, 1, True), "no experts", ""),
    ],
)
def test_layouts_that_cannot_be_name_the_nearest_that_can(
    model: str, layout: Layout, said: str, hint: str
) -> None:
    text = refusal(served(model), H100, layout)
    assert said in text and hint in text


@pytest.mark.parametrize(
    ("quantization", "accelerator", "hint"),
    [("fp8", "a100", "w8a16"), ("fp4", "h100", "int4"), ("fp8", "v100", "w8a16"), ("int8", "v100", "w8a16")],
)
def test_arithmetic_that_an_accelerator_lacks_is_refused(
    quantization: str, accelerator: str, hint: str
) -> None:
    text = refusal(served(quantization=quantization), load("accelerators", accelerator), Layout())
    assert "arithmetic" in text and hint in text


def test_weight_only_formats_run_anywhere() -> None:
    for quantization in ("w8a16", "int4"):
        memory.fit(served(quantization=quantization), load("accelerators", "a100"), Layout(), engine())


def test_every_problem_is_told_at_once() -> None:
    text = refusal(served("llama-3.1-8b", "fp4"), H100, Layout(3, 33), max_model_len=200_000)
    assert len(text.splitlines()) == 4


def test_context_over_the_models_positions_is_refused() -> None:
    assert "exceeds the 131072 positions" in refusal(served(), H100, Layout(), max_model_len=131073)
