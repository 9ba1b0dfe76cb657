"""Presets: each with its defaults, its rules and their sources, and no argument without effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator import catalog
from simulator.errors import InputError
from simulator.plugins import names
from simulator.scenario.engine_args import ABSENT
from simulator.scenario.load import load
from simulator.scenario.resolved import EngineArgs

SCENARIO = Path(__file__).parents[2] / "scenarios" / "poisson.yaml"
ENGINE = "fleet.pools.serve.engine"
PRESETS = catalog.names("presets")


def args(preset: str, *sets: str) -> EngineArgs:
    given = [f"{ENGINE}.{each}" for each in (f"preset={preset}", *sets)]
    return load(SCENARIO, [*given]).fleet.pools[0].engine


@pytest.mark.parametrize("name", PRESETS)
def test_every_rule_says_what_it_is_where_from_and_how_sure(name: str) -> None:
    preset: catalog.Preset = catalog.load("presets", name)
    assert preset.planner in names("planners") and preset.about and preset.source
    for rule in preset.rules.values():
        assert rule["how"] in ("recorded", "read", "paper", "assumed")
        assert rule["what"] and rule["source"]


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_document_loads_again_to_the_same(name: str, tmp_path: Path) -> None:
    assert args(name).preset == name
    first = load(SCENARIO, [f"{ENGINE}.preset={name}"])
    sets = [f"{ENGINE}.{key}={value}" for key, value in _engine(first.document).items()]
    assert load(SCENARIO, sets).fleet == first.fleet


def _engine(document: dict[str, dict[str, dict[str, dict[str, dict[str, str]]]]]) -> dict[str, str]:
    return document["fleet"]["pools"]["serve"]["engine"]


@pytest.mark.parametrize("name", PRESETS)
def test_an_argument_that_a_preset_lacks_is_refused(name: str) -> None:
    preset: catalog.Preset = catalog.load("presets", name)
    for key, value in {"watermark": "0.5", "swap_space": "8 GB", "enable_mixed_chunk": "true"}.items():
        if key in preset.defaults:
            args(name, f"{key}={value}")
        else:
            with pytest.raises(InputError, match=f"{key}: has no effect with preset {name}"):
                args(name, f"{key}={value}")


def test_releases_differ_as_their_sources_say() -> None:
    old, new = args("vllm-0.15"), args("vllm-0.33")
    assert (old.gpu_memory_utilization, new.gpu_memory_utilization) == (0.9, 0.92)
    assert (old.scheduler_reserve_full_isl, new.scheduler_reserve_full_isl) == (False, True)
    assert args("vllm-0.19").scheduler_reserve_full_isl
    assert (old.async_scheduling, args("vllm-0.11").async_scheduling) == (True, False)
    assert args("vllm-0.8.3").max_num_batched_tokens == 8192
    assert args("vllm-v0").max_num_batched_tokens == args("vllm-v0").max_model_len


@pytest.mark.parametrize(("alias", "name"), [("vllm-0.12", "vllm-0.11"), ("vllm-0.5", "vllm-v0")])
def test_a_release_that_was_not_read_has_the_nearest(alias: str, name: str) -> None:
    assert args(alias).preset == name
    assert alias.removeprefix("vllm-") in catalog.load("presets", name).nearest_for


def test_absent_arguments_are_all_arguments() -> None:
    assert set(ABSENT) <= set(EngineArgs.__dataclass_fields__)


def test_a_chunk_of_sglang_is_a_whole_number_of_pages() -> None:
    with pytest.raises(InputError, match="no whole number of pages of 64"):
        args("sglang", "block_size=64", "max_num_batched_tokens=1000", "max_num_seqs=16")


def test_handing_prompts_over_needs_vllm_v1() -> None:
    prefill = "{role: prefill, accelerator: h100-sxm, engine: {preset: sglang}}"
    pools = f"{{p: {prefill}, d: {{role: decode, accelerator: h100-sxm}}}}"
    with pytest.raises(InputError, match="not supported yet: a prefill pool under preset sglang"):
        load(SCENARIO, [f"fleet={{pools: {pools}, transfer: {{bandwidth: 50 GB/s, latency: 20 us}}}}"])
