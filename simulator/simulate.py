"""One run, from a resolved scenario to its result: the whole way on one screen."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import simpy

from simulator import rng
from simulator.cost import memory, roofline
from simulator.cost.fixed import FixedCost
from simulator.cost.work import CostModel
from simulator.engine.batch import Batch
from simulator.engine.replica import Replica
from simulator.engine.request import Request
from simulator.fleet.client import Client
from simulator.fleet.pool import Pool, Router
from simulator.plugins import find
from simulator.results.record import FINISHED, FLUSH_ROWS, Recorder
from simulator.results.run import RunResult, assemble
from simulator.results.timeline import ReplicaFacts
from simulator.scenario.resolved import PoolSpec, Resolved
from simulator.workload.build import build as build_workload
from simulator.workload.columns import Workload
from simulator.workload.formats.parquet import arrow

Progress = Callable[[float, int, int], None]
REPORT_EVERY = 512


@dataclass(slots=True)
class Fleet:
    """What a scenario is built into."""

    pool: Pool
    router: Router
    provenance: dict[str, Any]


def simulate(
    scenario: Resolved,
    replication: int = 0,
    progress: Progress | None = None,
    keep_steps: bool = False,
    exact: bool = False,
    leap: bool = True,
    load: Workload | None = None,
) -> RunResult:
    """Run one replication of a scenario, or `load` in place of the scenario's own workload.

    progress(simulated seconds, requests ended, requests) is called now and then. keep_steps: the result
    has a row a step; exact: every step is planned request by request; leap False: every step is an event
    of its own. Neither changes the result. Raises InputError for what cannot work, before any event.
    """
    spec = scenario.fleet.pools[0]
    costs = cost_and_blocks(scenario, spec)
    if load is None:
        load = build_workload(scenario.workload, scenario.seed, replication, spec.engine.max_model_len)
    env = simpy.Environment()
    recorder = Recorder(len(load), facts(scenario, costs[1]), keep_steps, scenario.run.bin_s)
    run = Run(env, recorder, len(load), progress)
    options = (leap and scenario.run.leap, exact or scenario.run.exact)
    fleet = build_fleet(scenario, replication, run, *costs, *options)
    run.attach(fleet, load, spec.engine.max_model_len)
    complete = run.until(scenario.run.duration_s)
    return assemble(
        scenario, arrow(load), recorder,
        replication=replication, counters=run.counters(), provenance=_provenance(load, fleet),
        complete=complete,
    )  # fmt: skip


class Run:
    """The run's own state: who is on the way, and what came of the others."""

    __slots__ = ("_client", "_done", "_env", "_fleet", "_progress", "_recorder", "_rows", "_total")

    def __init__(
        self, env: simpy.Environment, recorder: Recorder, total: int, progress: Progress | None
    ) -> None:
        self._env = env
        self._recorder = recorder
        self._rows = recorder.requests
        self._total = total
        self._progress = progress
        self._done = 0

    @property
    def env(self) -> simpy.Environment:
        return self._env

    @property
    def recorder(self) -> Recorder:
        return self._recorder

    def attach(self, fleet: Fleet, load: Workload, tokens: int) -> None:
        self._fleet = fleet
        self._client = Client(self._env, load, tokens, self._recorder.sent_s, self.send)

    def send(self, request: Request, now: float) -> None:
        """From the client to a replica."""
        self._fleet.pool.replicas[self._fleet.router.choose(request, now)].submit(request, now)

    def ended(self, replica: Replica, request: Request, now: float) -> None:
        """A request has all its tokens."""
        self._rows.append(
            (
                request.row, FINISHED, replica.index, request.first_scheduled_s, request.first_token_s, now,
                request.emitted, request.cached, request.preemptions,
            )
        )  # fmt: skip
        changed = self._fleet.router.changed
        if changed is not None:
            changed(replica.index)
        self._client.ended(request, now)
        self._done += 1
        if not self._done % REPORT_EVERY:
            self._now_and_then(now)

    def _now_and_then(self, now: float) -> None:
        if len(self._rows) >= FLUSH_ROWS:
            self._recorder.flush_requests()
        if len(self._recorder.step_runs) >= FLUSH_ROWS:
            self._recorder.flush_steps()
        if self._progress is not None:
            self._progress(now, self._done, self._total)

    def until(self, duration_s: float | None) -> bool:
        """Run to the end, to the last instant asked for, or to an interruption; False if it was
        interrupted.

        What a run drops holds no cycles, so the collector of cycles, which walks all that waits, rests.
        """
        collects = gc.isenabled()
        gc.disable()
        try:
            self._env.run(until=duration_s)
            return True
        except KeyboardInterrupt:
            return False
        finally:
            self._stop()
            if collects:
                gc.enable()

    def _stop(self) -> None:
        for replica in self._fleet.pool.replicas:
            replica.stop(self._env.now)

    def counters(self) -> dict[str, int]:
        replicas = self._fleet.pool.replicas
        return {
            "engine_steps": sum(replica.steps for replica in replicas),
            "engine_steps_from_totals": sum(replica.totals for replica in replicas),
        }


def cost_and_blocks(scenario: Resolved, spec: PoolSpec) -> tuple[CostModel, int, dict[str, Any]]:
    """A pool's cost model, its KV blocks (the null block included) and where both come from.

    Raises InputError if the model does not fit.
    """
    if spec.step_s is not None:
        fixed = FixedCost(spec.step_s)
        blocks = spec.engine.num_gpu_blocks_override
        if blocks is None:
            blocks = memory.fit(scenario.model, spec.accelerator, spec.layout, spec.engine).num_gpu_blocks
        return fixed, blocks, fixed.provenance
    fitted = memory.fit(scenario.model, spec.accelerator, spec.layout, spec.engine)
    cost = roofline.build(scenario.model, spec.accelerator, spec.layout, spec.engine)
    return cost, fitted.num_gpu_blocks, cost.provenance


def facts(scenario: Resolved, blocks: int) -> list[ReplicaFacts]:
    """What each replica could do at most."""
    found = []
    for pool in scenario.fleet.pools:
        n = pool.layout.accelerators
        peak = (
            pool.accelerator.peak_flops.get(scenario.model.activation_dtype, 0.0)
            if pool.step_s is None
            else 0.0
        )
        width = pool.accelerator.hbm_bytes_per_s if pool.step_s is None else 0.0
        for i in range(pool.replicas):
            found.append(ReplicaFacts(f"{pool.name}/{i}", pool.name, n, n * peak, n * width, blocks - 1))
    return found


def build_fleet(
    scenario: Resolved,
    replication: int,
    run: Run,
    cost: CostModel,
    blocks: int,
    provenance: dict[str, Any],
    leap: bool,
    exact: bool,
) -> Fleet:
    """Replicas and router. Raises InputError for a router, policy or planner that is not there."""
    spec = scenario.fleet.pools[0]
    plan = find("planners", spec.engine.planner).plan
    policy = find("policies", spec.engine.scheduling_policy)
    replicas = [
        Replica(
            run.env, i, f"{spec.name}/{i}", Batch(spec.engine, blocks - 1, policy.make()), cost, plan,
            run.recorder, run.ended, leap, exact,
        )
        for i in range(spec.replicas)
    ]  # fmt: skip
    pool = Pool(spec.name, replicas)
    plugin = scenario.fleet.router
    random = rng.stream(scenario.seed, "router/fleet", replication)
    router = find("routers", plugin.name).make(pool, plugin.options, random)
    return Fleet(pool, router, {spec.name: provenance})


def _provenance(load: Workload, fleet: Fleet) -> dict[str, Any]:
    return {"workload": load.provenance, "cost": fleet.provenance}
