"""A resolved scenario as replicas, routers and links. What cannot work is refused here, before any event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import simpy

from simulator import rng
from simulator.cost import memory, roofline
from simulator.cost.data_parallel import DataParallel
from simulator.cost.fixed import FixedCost
from simulator.cost.lock_step import Slowest, Together
from simulator.cost.pipeline import split
from simulator.cost.work import CostModel
from simulator.engine.batch import Batch
from simulator.engine.desk import Engine
from simulator.engine.lock_step import Group
from simulator.engine.pipelined import Pipelined
from simulator.engine.policies import Setting
from simulator.engine.policies import build as build_policy
from simulator.engine.replica import Replica
from simulator.engine.request import Request
from simulator.errors import InputError
from simulator.fleet.fanout import Way, way
from simulator.fleet.fleet import Ended, Fleet, Stage, Transfer
from simulator.fleet.link import Network, Port
from simulator.fleet.pool import Pool, Target
from simulator.fleet.ranks import COUNTS_S, Ranks, engines
from simulator.fleet.routing import router, unseen
from simulator.plugins import find
from simulator.results.record import Recorder
from simulator.results.timeline import ReplicaFacts
from simulator.scenario.resolved import ModelSpec, Plugin, PoolSpec, Resolved


@dataclass(frozen=True, slots=True)
class Priced:
    """A pool's cost model and KV blocks (the null block included), and where both come from.

    Both are of one engine: of a data-parallel rank, when all ranks have the same work. together: how such
    ranks are priced where they step in lock step, None where each goes its own way.
    """

    spec: PoolSpec
    cost: CostModel
    blocks: int
    provenance: dict[str, Any]
    facts: tuple[ReplicaFacts, ...]
    together: Together | None = None


def price(scenario: Resolved) -> list[Priced]:
    """Every pool with its cost model. Raises InputError if the model does not fit."""
    return [_priced(scenario, spec) for spec in scenario.fleet.pools]


def _priced(scenario: Resolved, spec: PoolSpec) -> Priced:
    model, where = scenario.model, scenario.places.get(spec.key, "")
    blocks = spec.engine.num_gpu_blocks_override if spec.step_s is not None else None
    if blocks is None:
        blocks = memory.fit(model, spec.accelerator, spec.layout, spec.engine, where).num_gpu_blocks
    joined = spec.layout.data_parallel_size > 1 and model.shape.moe_layers > 0
    if spec.step_s is not None:
        fixed = FixedCost(spec.step_s)
        facts = _facts(spec, 0.0, 0.0, blocks)
        return Priced(spec, fixed, blocks, fixed.provenance, facts, Slowest(fixed) if joined else None)
    layout = spec.layout if joined else replace(spec.layout, data_parallel_size=1)
    cost = roofline.build(model, spec.accelerator, layout, spec.engine, correction=scenario.correction)
    peak = spec.accelerator.peak_flops.get(model.activation_dtype, 0.0)
    facts = _facts(spec, peak, spec.accelerator.hbm_bytes_per_s, blocks)
    if isinstance(cost, DataParallel):
        return Priced(spec, cost.rank, blocks, cost.provenance, facts, cost.together)
    return Priced(spec, cost, blocks, cost.provenance, facts)


def _facts(spec: PoolSpec, flops: float, width: float, blocks: int) -> tuple[ReplicaFacts, ...]:
    ranks = spec.layout.data_parallel_size
    n = spec.layout.accelerators // ranks
    most = (blocks - 1, spec.engine.max_num_seqs, spec.engine.max_num_batched_tokens)
    stages = spec.layout.pipeline_parallel_size
    return tuple(
        ReplicaFacts(name, spec.name, n, n * flops, n * width, *most, stages)
        for i in range(spec.replicas)
        for name in ([f"{spec.name}/{i}"] if ranks == 1 else [f"{spec.name}/{i}.{r}" for r in range(ranks)])
    )


def build(
    scenario: Resolved,
    priced: list[Priced],
    replication: int,
    env: simpy.Environment,
    recorder: Recorder,
    ended: Ended,
    leap: bool = True,
    exact: bool = False,
) -> Fleet:
    """The fleet, idle. Raises InputError for a router, policy or planner that is not there, and for a
    view_delay that nobody would notice.
    """
    if problems := unseen(scenario):
        raise InputError(problems)
    fleet: list[Fleet] = []

    def told(replica: Engine, request: Request, now: float) -> None:
        fleet[0].ended(replica, request, now)

    setting = Setting(scenario.seed, replication, scenario.slo)
    roles = {pool.spec.role for pool in priced}
    taking = "decode" if "decode" in roles else "both"
    connected = {"prefill", taking} if "prefill" in roles else set()
    replicas: list[Engine] = []
    targets: list[Target] = []
    for pool in priced:
        connector = pool.spec.role in connected
        made = _replicas(pool, len(replicas), env, recorder, told, leap, exact, setting, connector)
        if pool.spec.engine.preemption_mode == "swap":
            _give_host_memory(made, scenario.model, pool.spec)
        replicas += made
        targets += (
            made if pool.spec.layout.data_parallel_size == 1 else _ranks(pool, made, env, scenario.seed)
        )
    entry = _stage(scenario, [t for t in targets if t.role != "decode"], replication)
    if not connected:
        fleet.append(Fleet(replicas, entry, None, None, ended))
    else:
        decode = _stage(scenario, [t for t in targets if t.role == taking], replication, handed=True)
        fleet.append(Fleet(replicas, entry, decode, _transfer(scenario, targets, env), ended))
    return fleet[0]


def _replicas(
    pool: Priced,
    first: int,
    env: simpy.Environment,
    recorder: Recorder,
    ended: Callable[[Engine, Request, float], None],
    leap: bool,
    exact: bool,
    setting: Setting,
    connector: bool,
) -> list[Engine]:
    spec, args = pool.spec, pool.spec.engine
    plan = find("planners", args.planner).plan
    stages = spec.layout.pipeline_parallel_size
    if stages > 1:
        # Where the scheduler waits for a batch's tokens anyway, only the CPU's work is asynchronous (R70).
        args = replace(args, async_scheduling=args.async_scheduling and args.rules.async_pipeline == "ahead")

    def batch() -> Batch:
        return Batch(args, pool.blocks - 1, build_policy(args, setting), connector, stages > 1)

    def one(index: int, name: str) -> Engine:
        common = (env, index, name, batch(), pool.cost, plan, recorder, ended)
        if stages > 1:
            return Pipelined(*common, exact, spec.role, stages, split(pool.cost, stages))
        return Replica(*common, leap, exact, spec.role)

    return [one(first + i, pool.facts[i].name) for i in range(spec.engines)]


def _ranks(pool: Priced, made: list[Engine], env: simpy.Environment, seed: int) -> list[Ranks]:
    """The pool's engines, replica by replica, each replica's behind its own balancer (R102)."""
    ranks, rules = pool.spec.layout.data_parallel_size, pool.spec.engine.rules
    found = []
    for first in range(0, len(made), ranks):
        members = made[first : first + ranks]
        if pool.together is not None:
            together = [engine for engine in members if isinstance(engine, Replica)]
            Group(env, together, pool.together, rules.dp_sync_interval)
        name = members[0].name.rpartition(".")[0]
        told = Pool(name, members, COUNTS_S)
        blind = pool.together is None and not rules.tells_dense_counts
        plugin = Plugin("round_robin") if blind else Plugin("vllm_balancer", {"rule": rules.balancer})
        balancer = router(plugin.name, plugin.options, told, rng.stream(seed, f"balancer/{name}"))
        found.append(Ranks(name, told, members, balancer))
    return found


def _give_host_memory(replicas: list[Engine], model: ModelSpec, spec: PoolSpec) -> None:
    """Room for swapped KV blocks on the host, and the seconds that PCIe takes for one (V8)."""
    token_bytes = memory.kv_bytes_per_token_per_rank(model, spec.layout, spec.engine)
    block_bytes = token_bytes * spec.engine.block_size
    for replica in replicas:
        assert isinstance(replica, Replica), "planners that swap have no pipelines"
        replica.batch.host_free = int(spec.engine.swap_space // block_bytes)
        replica.executor.copy_s = block_bytes / spec.accelerator.pcie_bytes_per_s


HANDED = Plugin("least_requests")
"""Who takes prompts from prefill pools when the fleet's router chooses between pools."""


def _stage(scenario: Resolved, replicas: list[Target], replication: int, handed: bool = False) -> Stage:
    """Replicas that one router chooses among: their pool's own, or the fleet's."""
    own = {_pool_of(replica) for replica in replicas}
    routers = {spec.pool: spec.router for spec in scenario.fleet.pools if spec.name in own}
    names = list(routers)
    plugin = (routers[names[0]] if len(names) == 1 else None) or scenario.fleet.router
    if handed and getattr(find("routers", plugin.name), "BETWEEN_POOLS", False):
        plugin = HANDED
    name = f"{names[0] if len(names) == 1 else 'fleet'}{'/handed' if handed else ''}"
    pool = Pool(name, replicas, scenario.fleet.view_delay_s)
    random = rng.stream(scenario.seed, f"router/{name}", replication)
    where = "fleet.router" if plugin is scenario.fleet.router else f"fleet.pools.{names[0]}.router"
    return Stage(pool, router(plugin.name, plugin.options, pool, random, where))


def _pool_of(replica: Target) -> str:
    return replica.name.rpartition("/")[0]


def _transfer(scenario: Resolved, targets: list[Target], env: simpy.Environment) -> Transfer:
    """Each replica reads and is read through a port of its own, as wide as the link: that of the busiest of
    its accelerators, where each has one.
    """
    spec = scenario.fleet.transfer
    assert spec is not None, "a prefill pool without transfer"
    width, model = spec.link.bytes_per_s, scenario.model.shape
    layouts = {pool.name: pool.layout for pool in scenario.fleet.pools}

    @cache
    def between(sender: str, receiver: str) -> Way:
        return way(model, layouts[sender], layouts[receiver], spec.per)

    return Transfer(
        memory.kv_bytes_per_token(scenario.model),
        Network(env, spec.link.latency_s),
        _ports(targets, width, spec.per),
        _ports(targets, width, spec.per),
        lambda sender, receiver: between(_pool_of(sender), _pool_of(receiver)),
        spec.push,
        spec.sends,
        spec.first_token,
        model.num_hidden_layers,
    )


def _ports(targets: list[Target], width: float, per: str) -> dict[int, Port]:
    """One direction's port of each engine: data-parallel ranks share their replica's, where it has one."""
    found: dict[int, Port] = {}
    for target in targets:
        shared = Port(width)
        for engine in engines(target):
            found[engine.index] = shared if per == "replica" else Port(width)
    return found
