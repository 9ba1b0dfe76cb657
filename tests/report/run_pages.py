"""Runs of many kinds, for the tests of their pages: saturated, replicated, empty, of given step times, …"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runs import SCENARIO, poisson, scenario

from simulator.results.run import RunResult, merge
from simulator.scenario.load import load
from simulator.scenario.resolved import SloSpec
from simulator.simulate import simulate

SLO = SloSpec(ttft_s=0.2, tpot_s=0.05, itl_s=0.1, e2e_s=None, attainment=0.9)


def plain() -> RunResult:
    return simulate(replace(scenario(replicas=2), slo=SLO), load=poisson(8.0, 400, 600, 60))


def saturated() -> RunResult:
    made = replace(scenario(max_num_seqs=4), slo=SLO)
    return simulate(made, load=poisson(60.0, 400, 600, 60))


def replicated() -> RunResult:
    made = replace(scenario(), slo=SLO)
    loads = [poisson(4.0, 150, 600, 60, seed=seed) for seed in (1, 2, 3)]
    return merge([simulate(made, number, load=load) for number, load in enumerate(loads)])


def given() -> RunResult:
    """Step times are given: no work is known; nor is there an SLO."""
    return simulate(replace(scenario(step_s=0.01), slo=None), load=poisson(4.0, 60, 20, 5))


def single() -> RunResult:
    return simulate(scenario(), load=poisson(4.0, 1, 20, 1))


def many_replicas() -> RunResult:
    return simulate(scenario(replicas=50), load=poisson(40.0, 400, 600, 30))


def split() -> RunResult:
    made = load(SCENARIO.with_name("rag-disaggregated.yaml"), ())
    return simulate(replace(made, slo=SLO), load=poisson(4.0, 200, 600, 40))


RUNS: dict[str, Callable[[], RunResult]] = {
    made.__name__: made for made in (plain, saturated, replicated, given, single, many_replicas, split)
}
