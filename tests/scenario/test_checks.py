"""Contradictions, options without effect, and what this release does not simulate yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.errors import Problem
from simulator.scenario.load import load

Problems = Callable[..., list[Problem]]
TRACE = "workload.synthetic=null", "workload.trace=child.yaml"


@pytest.mark.parametrize(
    ("text", "line_and_column", "said"),
    [
        ("workload: {format: azure}", "2:20", "workload.format: has no effect on a synthetic workload"),
        ("workload: {skip_bad_rows: true}", "2:27", "has no effect on a synthetic workload"),
        ("workload: {format_options: {a: 1}}", "2:12", "has no effect on a synthetic workload"),
        ("workload: {slice: {end: 1 s}}", "2:12", "has no effect on a synthetic workload"),
        ("run: {resample: blocks}", "2:17", "run.resample: has no effect on a synthetic workload"),
        ("workload: {synthetic: null}", "2:1", "workload: no workload"),
        ("workload: {trace: child.yaml}", "2:1", "workload: two workloads"),
        ("slo: {}", "2:1", "an slo without a bound has no effect"),
        ("slo: {attainment: 0.9}", "2:1", "an slo without a bound has no effect"),
        ("run: {warmup: 2 s, duration: 2 s}", "2:15", "run.warmup: leaves nothing"),
        ("run: {resample: none, replications: 2}", "2:17", "the replications would all be equal"),
        ("prices: {l40s: 1}", "2:16", "has no effect: no pool has that accelerator; allowed: h100-sxm"),
        ("model: {name: null}", "2:1", "no model"),
        ("fleet: {transfer: {bandwidth: 1 GB/s}}", "2:9", "has no effect without prefill and decode pools"),
        ("fleet: {pools: {serve: {role: decode}}}", "2:31", "a decode pool without a prefill pool"),
        (
            "fleet: {pools: {serve: {step_time: 1 s, engine: {enforce_eager: true}}}}",
            "2:65",
            "has no effect with step_time",
        ),
    ],
)
def test_refused_with_its_place(problems: Problems, text: str, line_and_column: str, said: str) -> None:
    found = problems(text)
    assert said in str(found[0])
    assert found[0].where.endswith(f"child.yaml:{line_and_column}")


@pytest.mark.parametrize(
    ("synthetic", "said"),
    [
        (
            "arrivals: {kind: constant, burstiness: 2}",
            "arrivals.burstiness: has no effect with kind constant",
        ),
        ("arrivals: {kind: gamma}", "burstiness is missing: kind gamma needs it"),
        (
            "arrivals: {kind: closed_loop, concurrency: 4}",
            "arrivals.rate: has no effect with kind closed_loop",
        ),
        ("arrivals: {rate: 0}", "0 is out of range"),
        ("arrivals: {rate: 3 GB}", "unknown unit 'GB'"),
        ("prompt: {kind: lognormal}", "cv is missing: kind lognormal needs it"),
        ("prompt: {cv: 1}", "prompt.cv: has no effect with kind constant"),
        ("prompt: {max: 10, min: 11}", "10 is less than min"),
        ("prompt: {tokens: 1.5}", "1.5 is no number of tokens"),
        ("prompt: {tokens: 0}", "0 is no number of tokens"),
        ("prompt: {kind: quantiles, tokens: null, quantiles: {50: 10}}", "two or more percents"),
        ("prompt: {kind: quantiles, tokens: null, quantiles: {50: 10, 40: 20}}", "must ascend"),
        ("prompt: {kind: quantiles, tokens: null, quantiles: {a: 10, b: 20}}", "a percent is no number"),
        ("prompt: {kind: lognormal, tokens: null, median: 9, p90: 8}", "8 is less than the median"),
        ("prompt: {kind: empirical, tokens: null, values: []}", "values"),
        (
            "prompt: {kind: empirical, tokens: null, values: [1], file: child.yaml}",
            "has no effect with kind empirical",
        ),
        ("prefix: {kind: shared}", "tokens is missing: kind shared needs it"),
        ("prefix: {kind: none, groups: 2}", "prefix.groups: has no effect with kind none"),
        ("name: nothing-like-it", "unknown workload 'nothing-like-it'"),
    ],
)
def test_synthetic_workloads_are_checked_by_kind(problems: Problems, synthetic: str, said: str) -> None:
    found = problems(f"workload: {{synthetic: {{{synthetic}}}}}")
    assert any(said in str(problem) for problem in found)
    assert all(problem.where.count(":") == 2 for problem in found)


def test_a_closed_loop_has_no_rate_to_scale(problems: Problems) -> None:
    loop = "arrivals: {kind: closed_loop, rate: null, concurrency: 4}"
    found = problems(f"workload: {{rate_scale: 2, synthetic: {{{loop}}}}}")
    assert [problem.what for problem in found] == ["workload.rate_scale: has no effect on a closed loop"]


@pytest.mark.parametrize(
    "synthetic",
    [
        "arrivals: {kind: closed_loop, rate: null, concurrency: 4, think: 1 s}",
        "arrivals: {kind: closed_loop, rate: null, concurrency: 4, think: {kind: exponential, mean: 1 s}}",
        "arrivals: {kind: gamma, burstiness: 0.5, normalise: true}",
        "prompt: {tokens: 8k, max: 16k}",
        "prompt: {kind: uniform, tokens: null, min: 1, max: 9}",
        "prompt: {kind: lognormal, tokens: null, median: 800, p90: 2000}",
        "prompt: {kind: lognormal, tokens: null, mu: 6, sigma: 1}",
        "prompt: {kind: quantiles, tokens: null, quantiles: {50: 800, 99: 2000}}",
        "prompt: {kind: empirical, tokens: null, values: [1, 2, 3]}",
        "prefix: {kind: shared, tokens: 500, groups: 10, skew: 1.1}",
        "prefix: {kind: sessions, turns: 4, think: 2 s}",
        "prefix: {kind: sessions, turns: {kind: uniform, max: 9}}",
    ],
)
def test_synthetic_workloads_that_can_be_built(problems: Problems, minimal: Path, synthetic: str) -> None:
    from simulator.workload.build import build

    assert not problems(f"workload: {{synthetic: {{{synthetic}}}}}")
    scenario = load(minimal.parent / "child.yaml")
    assert len(build(scenario.workload, 1, 0, 131072)) == 100


def test_defaults_written_out_are_no_options_without_effect(problems: Problems) -> None:
    off = "long_prefill_token_threshold: 0, long_prefill_token_threshold_adaptive: false, watermark: 0"
    engine = (
        f"{{{off}, gpu_memory_utilization: 0.92, num_gpu_blocks_override: 99, prefill_schedule_interval: 1}}"
    )
    assert not problems(
        f"workload: {{skip_bad_rows: false}}\nfleet: {{pools: {{serve: {{engine: {engine}}}}}}}"
    )


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (
            "pipeline_parallel_size: 2, engine: {preset: sglang}",
            "not supported yet: pipeline_parallel_size over 1 under preset sglang",
        ),
        (
            "pipeline_parallel_size: 2, engine: {preset: vllm-0.19}",
            "not supported yet: asynchronous scheduling of a pipeline under preset vllm-0.19",
        ),
        (
            "pipeline_parallel_size: 2, data_parallel_size: 2",
            "not supported yet: data_parallel_size over 1 with pipeline_parallel_size over 1",
        ),
        (
            "data_parallel_size: 2, engine: {preset: vllm-v0}",
            "not supported yet: data_parallel_size over 1 under preset vllm-v0",
        ),
        (
            "data_parallel_size: 2, engine: {prefill_schedule_interval: 2}",
            "not supported yet: data_parallel_size over 1 with prefill_schedule_interval over 1",
        ),
    ],
)
def test_not_supported_yet_is_said(problems: Problems, pool: str, said: str) -> None:
    found = problems(f"fleet: {{pools: {{serve: {{{pool}}}}}}}")
    assert [problem.what for problem in found] == [said]


DISAGGREGATED = """\
fleet:
  pools:
    serve: null
    prefill: {role: prefill, replicas: 2, accelerator: h100-sxm, tensor_parallel_size: 2, router: random}
    decode: {role: decode, replicas: 2, accelerator: h200-sxm}
  transfer: {connector: nixl, bandwidth: 50 GB/s, latency: 20 us}
"""


def test_a_disaggregated_fleet(problems: Problems, minimal: Path) -> None:
    assert not problems(DISAGGREGATED)
    fleet = load(minimal.parent / "child.yaml").fleet
    assert [(pool.name, pool.role, pool.replicas) for pool in fleet.pools] == [
        ("prefill", "prefill", 2),
        ("decode", "decode", 2),
    ]
    assert fleet.pools[0].router is not None
    assert fleet.transfer is not None
    assert (fleet.transfer.link.bytes_per_s, fleet.transfer.link.latency_s) == (50e9, 20e-6)


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (["fleet.transfer=null"], "fleet: transfer is missing"),
        (["fleet.transfer.latency=null"], "fleet.transfer: no link"),
        (["fleet.transfer.link=nowhere"], "fleet.transfer.link: unknown link 'nowhere'"),
        (["fleet.transfer.connector=nxil"], "unknown connector 'nxil'; allowed: distserve, mooncake"),
        (["fleet.transfer.sends=layer"], "fleet.transfer.sends: sends layer without push"),
        (
            ["fleet.transfer.connector=sglang", "fleet.transfer.push=false"],
            "fleet.transfer.push: sends chunk without push",
        ),
        (["fleet.pools.decode=null"], "a prefill pool without a decode pool"),
        (["fleet.pools.prefill=null"], "a decode pool without a prefill pool"),
        (
            ["fleet.pools.more={role: prefill, accelerator: h100-sxm}"],
            "fleet.pools.prefill.router: has no effect: several pools share the fleet's router",
        ),
    ],
)
def test_a_disaggregated_fleet_is_whole(problems: Problems, sets: list[str], said: str) -> None:
    assert said in str(problems(DISAGGREGATED, *sets)[0])


@pytest.mark.parametrize(
    ("transfer", "way"),
    [
        ("connector: NixlConnector", ("nixl", False, "prompt", "decode")),
        ("connector: sglang", ("sglang", True, "chunk", "relayed")),
        ("connector: distserve", ("distserve", False, "prompt", "prefill")),
        (
            "connector: mooncake-layerwise, first_token: prefill",
            ("mooncake-layerwise", True, "layer", "prefill"),
        ),
        ("push: true, sends: layer", ("nixl", True, "layer", "decode")),
    ],
)
def test_a_connector_is_a_way_to_hand_over_and_each_part_can_be_set(
    problems: Problems, minimal: Path, transfer: str, way: tuple[str, bool, str, str]
) -> None:
    sets = f"fleet.transfer={{bandwidth: 1 GB/s, latency: 1 us, {transfer}}}"
    assert not problems(DISAGGREGATED, sets)
    found = load(minimal.parent / "child.yaml", [sets]).fleet.transfer
    assert found is not None
    assert (found.connector, found.push, found.sends, found.first_token) == way
    assert found.per == "replica"
