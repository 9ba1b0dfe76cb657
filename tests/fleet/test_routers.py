"""Every router: it serves all, keeps its word about load, affinity and prefixes, and is the same on every
run.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from math import ceil
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import poisson, scenario

from simulator.engine.request import Request
from simulator.errors import InputError
from simulator.fleet.pool import Pool
from simulator.fleet.routers.consistent_hash import Options, make
from simulator.plugins import describe, names
from simulator.results.run import RunResult
from simulator.scenario.resolved import Plugin, Resolved
from simulator.simulate import simulate
from simulator.workload.columns import Workload, workload

ALONE = [name for name in names("routers") if name != "conditional"]
STEP_S = 0.01


def spec(router: str, replicas: int = 8, **engine: object) -> Resolved:
    return scenario(replicas, STEP_S, router, **({"max_num_seqs": 1, "async_scheduling": False} | engine))


def replicas_of(result: RunResult) -> list[str]:
    return result.requests["replica"].to_pylist()


@pytest.mark.parametrize("router", ALONE)
def test_it_serves_everybody_and_says_what_it_does(router: str) -> None:
    load = poisson(500, 2000, 20, 3)
    first, again = (simulate(spec(router), load=load) for _ in range(2))
    assert set(first.requests["state"].to_pylist()) == {"finished"}
    assert first.requests.equals(again.requests)
    assert describe("routers", router).endswith(".") or ":" in describe("routers", router)


def test_round_robin_takes_turns() -> None:
    load = poisson(500, 800, 20, 3)
    assert replicas_of(simulate(spec("round_robin"), load=load)) == [f"serve/{i % 8}" for i in range(800)]


def test_random_is_even() -> None:
    load = poisson(100, 8000, 20, 1)
    counts = np.array(list(Counter(replicas_of(simulate(spec("random"), load=load))).values()))
    chi2 = ((counts - 1000) ** 2 / 1000).sum()
    assert len(counts) == 8
    assert chi2 < 24.3  # 7 degrees of freedom, one in a thousand


def test_the_better_informed_wait_less() -> None:
    """At 80 % load, answers of random length: random > round robin > power of two > least requests."""
    output = np.random.default_rng(3).geometric(1 / 20, 40_000)
    load = poisson(0.8 * 8 / (output.mean() * STEP_S), 40_000, 8, output)
    waits = {
        router: simulate(spec(router), load=load).requests["queue_s"].to_numpy().mean()
        for router in ("random", "round_robin", "power_of_two", "least_requests")
    }
    assert list(waits) == sorted(waits, key=waits.__getitem__, reverse=True), waits


def test_power_of_two_has_its_known_tail() -> None:
    """Mitzenmacher 2001, many servers with exponential service: share of queues of at least k is ρ^(2^k −
    1).
    """
    replicas, rho, n = 100, 0.7, 100_000
    rng = np.random.default_rng(2)
    output = np.maximum(1, np.ceil(rng.exponential(40.0, n))).astype(
        int
    )  # 40 steps: near enough to exponential
    rate = rho * replicas / (output.mean() * STEP_S)
    load = poisson(rate, n, 8, output, seed=5)
    result = simulate(spec("power_of_two", replicas), load=load).requests
    sent, finish = result["sent_s"].to_numpy(), result["finish_s"].to_numpy()
    server = np.unique(result["replica"].to_pylist(), return_inverse=True)[1]
    instants = np.linspace(sent[n // 5], sent[-1], 200)
    lengths = np.concatenate(
        [np.bincount(server[(sent <= t) & (finish > t)], minlength=replicas) for t in instants]
    )
    for k in (1, 2, 3):
        assert (lengths >= k).mean() == pytest.approx(rho ** (2**k - 1), abs=0.02), k


def _turns(sessions: int, turns: int) -> Workload:
    """Sessions in which each turn repeats the prompt of the one before, with something new."""
    n = sessions * turns
    session, turn = np.arange(n) % sessions, np.arange(n) // sessions
    ids = [[1000 * s + t for t in range(k + 1)] for s, k in zip(session, turn)]
    return workload(
        np.sort(np.random.default_rng(1).uniform(0, 40, n)),
        64 * (turn + 1),
        np.full(n, 5),
        session=session,
        turn=turn,
        segment_offset=np.cumsum([0, *map(len, ids)]),
        segment_id=np.concatenate(ids).astype(np.uint64),
        segment_tokens=np.full(sum(map(len, ids)), 64),
    )


def test_a_session_stays_where_it_is() -> None:
    result = simulate(spec("session_affinity"), load=_turns(41, 10)).requests.to_pandas()
    assert (result.groupby("session")["replica"].nunique() == 1).all()
    assert result["replica"].nunique() > 4


@dataclass
class _Loads:
    """What a router sees of a pool."""

    outstanding_of: list[int]

    def __len__(self) -> int:
        return len(self.outstanding_of)

    @property
    def in_system(self) -> int:
        return sum(self.outstanding_of)

    def outstanding(self, index: int, now: float) -> float:
        return self.outstanding_of[index]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=9), st.integers(0, 99), st.floats(1.0, 3.0))
def test_consistent_hash_leaves_home_only_when_that_is_full(
    loads: list[int], session: int, bound: float
) -> None:
    pool = cast(Pool, _Loads(loads))
    rng = np.random.default_rng(0)
    chosen, home = (
        make(pool, Options(bound=limit), rng).choose(Request(0, 0.0, 1, 1, session=session), 0.0)
        for limit in (bound, 0.0)
    )
    most = ceil(bound * (sum(loads) + 1) / len(loads))
    assert loads[chosen] < most  # with the new one at most `bound` times the mean, rounded up
    assert chosen == home or loads[home] >= most


def test_consistent_hash_without_bound_never_moves_a_session() -> None:
    base = spec("consistent_hash")
    unbound = replace(base.fleet, router=Plugin("consistent_hash", {"bound": 0.0}))
    result = simulate(replace(base, fleet=unbound), load=_turns(41, 10)).requests.to_pandas()
    assert (result.groupby("session")["replica"].nunique() == 1).all()


def test_prefix_aware_finds_prefixes_and_spreads_what_is_new() -> None:
    load = _turns(41, 10)
    hits = {
        router: simulate(spec(router, max_num_seqs=16), load=load).requests["hit_tokens"].to_numpy().sum()
        for router in ("round_robin", "prefix_aware", "session_affinity")
    }
    shared = 64 * 41 * sum(range(10))
    assert hits["prefix_aware"] > 0.9 * shared
    assert hits["prefix_aware"] > 2 * hits["round_robin"]
    used = Counter(replicas_of(simulate(spec("prefix_aware", max_num_seqs=16), load=load)))
    assert len(used) == 8


def test_prefix_aware_gives_way_to_load() -> None:
    """One hot prefix: it does not pile up on the replica that holds it."""
    n = 400
    load = replace(
        poisson(300, n, 160, 20),
        segment_offset=np.arange(n + 1),
        segment_id=np.ones(n, np.uint64),
        segment_tokens=np.full(n, 160, np.int32),
    )
    result = simulate(spec("prefix_aware", max_num_seqs=4), load=load)
    assert len(set(replicas_of(result))) > 4


def test_an_option_that_it_does_not_have_is_refused() -> None:
    base = spec("round_robin")
    wrong = Plugin("prefix_aware", {"overlp": 2.0, "decode": "much"})
    with pytest.raises(
        InputError, match=r"unknown option 'overlp'.*overlap[\s\S]*decode: 'much' is no number"
    ):
        simulate(replace(base, fleet=replace(base.fleet, router=wrong)), load=poisson(1, 2, 8, 1))


def test_old_views_of_load_make_a_herd() -> None:
    """Loads looked up once a second: between looks everybody goes to whoever was least loaded then."""
    load = poisson(0.6 * 8 / STEP_S / 3, 20_000, 8, 3)
    base = spec("least_requests")
    stale = replace(base, fleet=replace(base.fleet, view_delay_s=1.0))
    fresh, old = (simulate(one, load=load).requests["queue_s"].to_numpy().mean() for one in (base, stale))
    assert old > 3 * fresh
    again = simulate(stale, load=load, leap=False).requests
    assert again.equals(simulate(stale, load=load).requests)


@pytest.mark.parametrize(
    "blind", [Plugin("round_robin"), Plugin("random"), Plugin("consistent_hash", {"bound": 0.0})]
)
def test_an_old_view_that_nobody_looks_at_is_refused(blind: Plugin) -> None:
    base = spec("round_robin")
    fleet = replace(base.fleet, view_delay_s=1.0, router=blind)
    with pytest.raises(InputError, match=rf"no effect: {blind.name} never looks at loads[\s\S]*least_kv"):
        simulate(replace(base, fleet=fleet), load=poisson(1, 2, 8, 1))
    pools = (replace(base.fleet.pools[0], router=Plugin("power_of_two")),)
    simulate(replace(base, fleet=replace(fleet, pools=pools)), load=poisson(1, 2, 8, 1))
