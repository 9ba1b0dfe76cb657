"""Replicas of several kinds in one pool: each at its own cost, routers see them alike, results per kind."""

from __future__ import annotations

from dataclasses import replace

import pytest
from runs import poisson, scenario

from simulator import catalog
from simulator.results.summary import summarise
from simulator.scenario.resolved import Layout, PoolSpec, Resolved, TransferSpec
from simulator.simulate import simulate

KINDS = {"new": ("h100-sxm", 2, 1), "old": ("a100-sxm-80", 1, 2)}


def _member(base: PoolSpec, name: str) -> PoolSpec:
    accelerator, replicas, tensor = KINDS[name]
    return replace(
        base,
        name=f"serve/{name}",
        member=name,
        replicas=replicas,
        accelerator=catalog.load("accelerators", accelerator),
        layout=Layout(tensor),
    )


def mixed(router: str = "round_robin", step_s: float | None = None) -> Resolved:
    made = scenario(1, step_s, router)
    pools = tuple(_member(made.fleet.pools[0], name) for name in KINDS)
    prices = {"h100-sxm": 3.0, "a100-sxm-80": 1.5}
    return replace(made, fleet=replace(made.fleet, pools=pools), run=replace(made.run, price=prices))


def test_routers_see_them_all_alike() -> None:
    result = simulate(mixed(), load=poisson(20.0, 300, 200, 10)).requests
    turns = ["serve/new/0", "serve/new/1", "serve/old/0"]
    assert result["replica"].to_pylist() == [turns[i % 3] for i in range(300)]


def test_each_kind_runs_as_a_fleet_of_its_own_would() -> None:
    """Round robin gives each replica every third request: alone with these, it gives the same times."""
    load = poisson(30.0, 300, 400, 20)
    result = simulate(mixed(), load=load).requests
    for name, first in (("new", 0), ("old", 2)):
        spec = replace(_member(mixed().fleet.pools[0], name), replicas=1)
        alone = replace(mixed(), fleet=replace(mixed().fleet, pools=(spec,)))
        rows = slice(first, None, 3)
        own = replace(
            load,
            **{
                column: getattr(load, column)[rows]
                for column in (
                    "arrival_s", "prompt_tokens", "output_tokens", "max_tokens", "session", "turn", "tenant",
                    "priority", "output_segment", "think_s",
                )
            },
            segment_offset=load.segment_offset[: len(load.arrival_s[rows]) + 1],
        )  # fmt: skip
        expected = simulate(alone, load=own).requests
        for column in ("ttft_s", "finish_s"):
            assert result[column].to_numpy()[rows] == pytest.approx(expected[column].to_numpy(), abs=0), name


def test_results_are_per_kind_and_money_and_power_are_of_each() -> None:
    result = simulate(mixed("least_requests"), load=poisson(40.0, 600, 300, 30))
    summary = summarise(result)
    assert list(summary["pools"]) == ["serve/new", "serve/old"]
    assert summary["pools"]["serve/new"]["accelerator"] == "h100-sxm"
    assert summary["pools"]["serve/old"]["accelerators"] == 2
    assert set(result.timeline["pool"].to_pylist()) == {"serve/new", "serve/old"}
    figures = {name: metric["value"] for name, metric in summary["metrics"].items() if "value" in metric}
    a_million_s = 1e6 / figures["output_throughput"]
    price = (2 * 3.0 + 2 * 1.5) / 3600
    assert figures["usd_per_million_output_tokens"] == pytest.approx(price * a_million_s)
    watts = 2 * catalog.load("accelerators", "h100-sxm").tdp_w
    watts += 2 * catalog.load("accelerators", "a100-sxm-80").tdp_w
    assert figures["joules_per_million_output_tokens"] == pytest.approx(watts * a_million_s)
    each = figures["output_throughput"] / 4
    assert figures["output_throughput_per_accelerator"] == pytest.approx(each)
    busy = {name: pool["busy"] for name, pool in summary["pools"].items()}
    assert all(0 < share < 1 for share in busy.values())


def test_a_decode_pool_of_two_kinds_takes_prompts_over() -> None:
    made = mixed("least_kv")
    link = catalog.load("links", "ib")
    first = replace(made.fleet.pools[0], name="prefill", member="", role="prefill")
    decode = tuple(replace(spec, role="decode") for spec in made.fleet.pools)
    transfer = TransferSpec("nixl", link, per="accelerator")
    fleet = replace(made.fleet, pools=(first, *decode), transfer=transfer)
    result = simulate(replace(made, fleet=fleet), load=poisson(10.0, 200, 400, 20)).requests
    assert set(result["state"].to_pylist()) == {"finished"}
    assert set(result["replica"].to_pylist()) == {"serve/new/0", "serve/new/1", "serve/old/0"}
