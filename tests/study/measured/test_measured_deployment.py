"""From an index row to a scenario: engine, model, layout, pools, link; and what a row lacks."""

from __future__ import annotations

import pytest
from measured_index import CLOSED, row

from simulator.errors import InputError
from simulator.scenario.resolved import Layout
from simulator.study.measured.deployment import deployment, started
from simulator.study.measured.engines import arguments, date_of, engine
from simulator.study.measured.rows import Lacks


def test_arguments_are_pairs_and_switches_and_the_rest_is_told_apart() -> None:
    read = arguments("max_num_seqs=64 max_model_len=2048 no_enable_prefix_caching seed=42, NixlConnector")
    assert read.arguments == {"max_num_seqs": 64, "max_model_len": 2048, "enable_prefix_caching": False}
    assert read.unused == ["seed=42"]
    assert not read.marks


def test_what_was_not_recorded_but_is_known_from_elsewhere_is_taken_and_marked() -> None:
    read = arguments(
        "max_num_batched_tokens=2048 cpu_kv_offload=false"
        " (max_num_seqs and max_model_len not recorded here; 128 and 4096 in another-set)"
    )
    expected = {"max_num_batched_tokens": 2048, "max_num_seqs": 128, "max_model_len": 4096}
    assert read.arguments == expected
    assert read.marks == ["max_num_seqs and max_model_len as in another-set"]
    assert read.unused == ["cpu_kv_offload=false"]


def test_a_number_of_blocks_stands_in_place_of_a_share_of_memory() -> None:
    cell = "max_model_len=model maximum gpu_memory_utilization=0.9 num_gpu_blocks=2588 block_size=16"
    found = engine(row(CLOSED | {"engine_args": cell})).arguments
    assert found == {"preset": "vllm-0.15", "num_gpu_blocks_override": 2588, "block_size": 16}


@pytest.mark.parametrize(
    ("name", "version", "preset", "marked"),
    [
        ("vllm", "0.15.1", "vllm-0.15", False),
        ("vllm", "0.8.3 (from the deployment files)", "vllm-0.8", False),
        ("vllm", "0.18.0", "vllm-0.19", True),
        ("vllm", "0.24.1", "vllm-0.19", True),
        ("vllm", "not recorded (March 2026)", "vllm-0.15", True),
        ("vllm", "nightly (2026-04-17)", "vllm-0.19", True),
        ("vllm", "2023-24 (not recorded)", "vllm-v0", True),
        ("tensorrt-llm", "1.0.0rc3", "vllm-0.19", True),
    ],
)
def test_a_release_takes_its_preset_or_the_nearest_one(
    name: str, version: str, preset: str, marked: bool
) -> None:
    found = engine(row(CLOSED | {"engine": name, "engine_version": version, "engine_args": ""}))
    assert found.arguments["preset"] == preset
    assert bool(found.marks) == marked


def test_an_engine_without_preset_or_date_is_a_lack() -> None:
    with pytest.raises(Lacks, match="a preset for unheard-of"):
        engine(row(CLOSED | {"engine": "unheard-of"}))
    with pytest.raises(Lacks, match="the engine's version, and the date"):
        engine(row(CLOSED | {"engine_version": "nightly-5b8c30d6"}))


def test_dates_are_read_from_prose() -> None:
    assert date_of("measured 2026-04-17; image x") == pytest.approx(2026.296, abs=0.001)
    assert date_of("vLLM nightly (Feb 2026)") == pytest.approx(2026.125)
    assert date_of("not recorded (2025)") == pytest.approx(2025.542, abs=0.001)
    assert date_of("0.15.1") is None


def test_a_colocated_run_has_as_many_replicas_as_its_accelerators_hold() -> None:
    cells = CLOSED | {"model": "mistralai/Mixtral-8x7B-v0.1", "n_gpus": 8, "tp": 2, "dp": 2, "ep": 4}
    found = deployment(row(cells))
    (pool,) = found.scenario.fleet.pools
    assert pool.replicas == 2
    assert pool.layout == Layout(2, 1, 2, True)
    assert pool.engines == 4
    with pytest.raises(Lacks, match="a layout for its 3 accelerators"):
        deployment(row(CLOSED | {"n_gpus": 3, "tp": 2}))


def test_pools_of_a_disaggregated_run_are_read_with_their_link() -> None:
    cells = CLOSED | {"layout": "P/D", "prefill_pool": "1x(TP2,PP1)", "decode_pool": "3x(TP1,attnDP1,batch8)"}
    found = deployment(row(cells))
    prefill, decode = found.scenario.fleet.pools
    assert (prefill.role, prefill.replicas, prefill.layout.tensor_parallel_size) == ("prefill", 1, 2)
    assert (decode.role, decode.replicas, decode.layout) == ("decode", 3, Layout())
    assert found.scenario.fleet.transfer is not None
    assert found.scenario.fleet.transfer.link.bytes_per_s == 4.5e11
    assert any("none is recorded" in mark for mark in found.marks)
    nominal = deployment(row(cells | {"notes": "0.54 ms at 36.53 GB/s (of a nominal 200 GB/s)"}))
    assert nominal.scenario.fleet.transfer is not None
    assert nominal.scenario.fleet.transfer.link.bytes_per_s == 2e11


@pytest.mark.parametrize(
    ("change", "lack"),
    [
        ({"accelerator": ""}, "the accelerator"),
        ({"accelerator": "abacus"}, "accelerator abacus in the catalogue"),
        ({"model": "someone/Unheard-Of"}, "model someone/Unheard-Of in the catalogue"),
        ({"weights_dtype": ""}, "the weights' dtype"),
        ({"weights_dtype": "int3"}, "quantization int3"),
        ({"engine_args": "speculative: mtp with 1 token"}, "speculative decoding"),
        ({"layout": ""}, r"layout \(not recorded\)"),
        ({"layout": "P/D", "prefill_pool": "?x(TP4)"}, "the size of the prefill pool"),
        ({"tp": 4, "dp": 2, "ep": 2, "n_gpus": 8}, "experts spread over some ranks"),
    ],
)
def test_what_a_row_lacks_is_said_in_a_few_words(change: dict[str, object], lack: str) -> None:
    with pytest.raises(Lacks, match=lack):
        deployment(row(CLOSED | change))


def test_an_accelerator_that_is_not_recorded_can_be_given() -> None:
    found = deployment(row(CLOSED | {"accelerator": ""}), accelerator="l40s")
    assert found.scenario.fleet.pools[0].accelerator.name == "l40s"
    assert "on l40s, which is not recorded" in found.marks


def test_narrow_weights_are_widened_where_their_arithmetic_is_missing() -> None:
    found = deployment(row(CLOSED | {"weights_dtype": "fp4", "accelerator": "h100-sxm"}))
    assert found.scenario.model.quantization == "int4"
    assert any("multiplied in 16 bits" in mark for mark in found.marks)
    native = deployment(row(CLOSED | {"weights_dtype": "fp8 (w8a8 dynamic)", "accelerator": "h100-sxm"}))
    assert native.scenario.model.quantization == "fp8"


def test_a_model_made_from_another_has_its_shape() -> None:
    found = deployment(row(CLOSED | {"model": "someone/Qwen3-30B-A3B-Instruct-2507-FP8"}))
    assert found.scenario.model.shape.name == "qwen3-30b-a3b"
    assert "someone/Qwen3-30B-A3B-Instruct-2507-FP8 has the shape of qwen3-30b-a3b" in found.marks
    assert not deployment(row(CLOSED)).marks


def test_a_model_that_does_not_fit_does_not_start() -> None:
    cells = row(CLOSED | {"model": "meta-llama/Llama-3.1-70B"})
    with pytest.raises(InputError, match="does not fit"):
        started(deployment(cells), cells, "", 300)


def test_a_limit_on_lengths_that_does_not_fit_gives_way_to_the_longest_request() -> None:
    cells = row(CLOSED | {"accelerator": "rtx-4090", "engine_args": ""})
    found = started(deployment(cells), cells, "", 300)
    assert found.scenario.fleet.pools[0].engine.max_model_len == 300
    assert "max_model_len 300: the engine's default does not fit" in found.marks
    short = row(CLOSED)
    with pytest.raises(Lacks, match=r"its longest request \(5000 tokens, the limit is 4096\)"):
        started(deployment(short), short, "", 5000)


def test_data_parallel_ranks_have_limits_of_their_own() -> None:
    cells = row(CLOSED | {"n_gpus": 4, "dp": 4, "engine_args": "max_num_seqs=64 max_num_batched_tokens=2048"})
    pool = started(deployment(cells), cells, "", 300).scenario.fleet.pools[0]
    assert (pool.replicas, pool.engines) == (1, 4)
    assert (pool.engine.max_num_seqs, pool.engine.max_num_batched_tokens) == (64, 2048)


def test_fp8_weights_are_scaled_as_the_model_was_published() -> None:
    for name, wanted in (("MiniMaxAI/MiniMax-M2.5", "fp8_block"), ("mistralai/Mixtral-8x7B-v0.1", "fp8")):
        cells = row(CLOSED | {"model": name, "weights_dtype": "fp8", "tp": 4, "n_gpus": 4})
        assert deployment(cells).scenario.model.quantization == wanted
