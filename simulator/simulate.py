"""One run, from a resolved scenario to its result: the whole way on one screen."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import NamedTuple

import simpy
from simpy.core import EmptySchedule
from simpy.events import EventPriority

from simulator import interrupt
from simulator.engine.desk import Engine
from simulator.engine.events import Alarm
from simulator.engine.request import NEVER, Request
from simulator.errors import InputError
from simulator.fleet.build import build as build_fleet
from simulator.fleet.build import price
from simulator.fleet.client import Client
from simulator.fleet.fleet import Fleet, Hop
from simulator.fleet.limits import limits
from simulator.results.record import FINISHED, FLUSH_ROWS, UNFINISHED, Recorder
from simulator.results.run import RunResult, assemble
from simulator.scenario.places import positioned
from simulator.scenario.resolved import Resolved
from simulator.workload.build import build as build_workload
from simulator.workload.columns import Workload
from simulator.workload.formats.parquet import arrow

REPORT_EVERY = 1024  # events
FIRST = -1  # at its instant


class Moment(NamedTuple):
    """Where a run is: requests that have ended, were sent, and are to come in all; share: of the way."""

    simulated_s: float
    ended: int
    sent: int
    total: int
    share: float


Progress = Callable[[Moment], None]


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

    progress(moment) is called now and then. keep_steps: the result has a row a step; exact: every step is
    planned request by request; leap False: every step is an event of its own. Neither changes the result.
    Ctrl-C ends the run between two events; its result is not `complete` then. Raises InputError for what
    cannot work, before any event.
    """
    env = simpy.Environment()
    how = (leap and scenario.run.leap, exact or scenario.run.exact)
    try:
        priced = price(scenario)
        tokens = min(pool.spec.engine.max_model_len for pool in priced)
        if load is None:
            load = build_workload(scenario.workload, scenario.seed, replication, tokens)
        facts = [facts for pool in priced for facts in pool.facts]
        recorder = Recorder(len(load), facts, keep_steps, scenario.run.bin_s)
        run = Run(env, recorder, len(load), progress)
        fleet = build_fleet(scenario, priced, replication, env, recorder, run.ended, *how)
    except InputError as error:
        raise positioned(error, scenario.places) from None
    run.attach(fleet, Client(env, load, tokens, recorder.sent_s, fleet.send))
    complete = run.until(scenario.run.duration_s)
    provenance = {"workload": load.provenance, "cost": {pool.spec.name: pool.provenance for pool in priced}}
    found = limits(priced, recorder, fleet.transfer, env.now)
    return assemble(
        scenario, arrow(load), recorder,
        replication=replication, counters=run.counters(), provenance=provenance, complete=complete,
        limits=found,
    )  # fmt: skip


class Run:
    """The run's own state: who is on the way, and what came of the others."""

    __slots__ = (
        "_client", "_done", "_env", "_fleet", "_interrupted", "_over", "_progress", "_recorder", "_rows",
        "_total", "_until_s",
    )  # fmt: skip

    def __init__(
        self, env: simpy.Environment, recorder: Recorder, total: int, progress: Progress | None
    ) -> None:
        self._env = env
        self._recorder = recorder
        self._rows = recorder.requests
        self._total = total
        self._progress = progress
        self._done = 0
        self._over = self._interrupted = False
        self._until_s: float | None = None

    def attach(self, fleet: Fleet, client: Client) -> None:
        self._fleet = fleet
        self._client = client

    def ended(self, replica: Engine, request: Request, hop: Hop | None, now: float) -> None:
        """A request has all its tokens."""
        self._rows.append(request_row(replica, request, hop, FINISHED, now))
        self._client.ended(request, now)
        self._done += 1

    def until(self, duration_s: float | None) -> bool:
        """Run to the end, to the last instant asked for, or to an interruption; False if it was
        interrupted.

        What a run drops holds no cycles, so the collector of cycles, which walks all that waits, rests.
        """
        collects = gc.isenabled()
        gc.disable()
        if duration_s is not None:
            self._until_s = duration_s
            last = Alarm(self._env, lambda event: self._end(False))
            self._env.schedule(last, EventPriority(FIRST), duration_s)
        try:
            with interrupt.told(lambda: self._end(True)):
                self._events()
        except KeyboardInterrupt:
            self._interrupted = True
        finally:
            self._stop()
            if collects:
                gc.enable()
        return not self._interrupted

    def _end(self, interrupted: bool) -> None:
        """No event after the one that goes on, so that whatever has happened has happened wholly."""
        self._interrupted = interrupted and not self._over
        self._over = True

    def _events(self) -> None:
        step = self._env.step
        try:
            while True:
                for _ in range(REPORT_EVERY):
                    if self._over:
                        return
                    step()
                self._now_and_then(self._env.now)
        except EmptySchedule:
            return

    def _now_and_then(self, now: float) -> None:
        if len(self._rows) >= FLUSH_ROWS:
            self._recorder.flush_requests()
        if len(self._recorder.step_runs) >= FLUSH_ROWS:
            self._recorder.flush_steps()
        if self._progress is not None:
            share = max(self._done / self._total, now / self._until_s if self._until_s else 0.0)
            self._progress(Moment(now, self._done, self._client.sent, self._total, share))

    def _stop(self) -> None:
        for replica in self._fleet.replicas:
            replica.stop(self._env.now)
            for request in replica.inside():
                hop = self._fleet.hop(request)
                if hop is None or hop.request is not request:  # else the decode side has the request, too
                    self._rows.append(request_row(replica, request, hop, UNFINISHED, NEVER))

    def counters(self) -> dict[str, int]:
        replicas = self._fleet.replicas
        return {
            "engine_steps": sum(replica.steps for replica in replicas),
            "engine_steps_from_totals": sum(replica.totals for replica in replicas),
        }


def request_row(
    replica: Engine, request: Request, hop: Hop | None, state: int, finish_s: float
) -> tuple[int | float, ...]:
    """What the recorder is told of a request, in the order of results.record.RequestRow."""
    if hop is None:
        return (
            request.row, state, replica.index, -1,
            request.first_scheduled_s, NEVER, NEVER, NEVER, NEVER, request.first_token_s, finish_s,
            request.emitted, request.cached, request.preemptions,
            request.own_s, request.stretched_s, request.paused_s,
        )  # fmt: skip
    before = hop.request
    return (
        request.row, state, replica.index, hop.replica.index,
        before.first_scheduled_s, hop.ended_s, hop.load_start_s, hop.load_end_s, request.first_scheduled_s,
        request.first_token_s, finish_s,
        request.emitted, before.cached, request.preemptions + before.preemptions,
        before.own_s, request.stretched_s, request.paused_s,
    )  # fmt: skip
