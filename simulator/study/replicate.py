"""Independent replications of one scenario: as many as asked, or as many as its precision needs.

Replication r draws from streams spawned from (seed, purpose, r) and from nothing else, so it is the same
whoever computes it, and a longer study begins with the shorter one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from simulator.errors import InputError, unknown
from simulator.results.precision import FIRST, enough, names, precision
from simulator.results.run import RunResult, merge
from simulator.results.summary import summarise
from simulator.scenario.resolved import Resolved
from simulator.simulate import Progress, simulate
from simulator.study.parallel import Map, Watch, workers
from simulator.study.worker import TELLER

Told = Callable[[int, int], None]
"""told(replications done, replications planned)."""


@dataclass(frozen=True, slots=True)
class How:
    """How a replication is run: what changes its cost, not its result."""

    keep_steps: bool = False
    exact: bool = False


def replicate(
    scenario: Resolved,
    count: int,
    how: How = How(),
    told: Told | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> RunResult:
    """All replications as one result, on `count` processes.

    told: called before the first and after each; watch: with where those are that go on; progress: within
    the one there is, if there is one only. An interruption ends with the replications that are complete, up
    to the first that is not (which ones end first depends on what came out: those beyond it would be a biased
    choice), or with what there is of the first, and is marked as incomplete. Raises InputError for what
    cannot work.
    """
    check(scenario)
    if scenario.run.precision is None and scenario.run.replications == 1:
        return simulate(scenario, 0, progress, keep_steps=how.keep_steps, exact=how.exact)
    done: list[RunResult] = []
    with workers(count, watch) as run:
        wanted = first(scenario)
        while len(done) < wanted and _add(scenario, how, run, done, wanted, told):
            wanted = wanted_after(merge(done))
    if not done:
        raise KeyboardInterrupt("before the first run had begun, so there is nothing to keep")
    return merge(done)


def check(scenario: Resolved) -> None:
    """Raises InputError for statistics that no run has."""
    known = names()
    where = scenario.places.get("run.precision_of", "run.precision_of")
    wrong = [name for name in scenario.run.precision_of if name not in known]
    if wrong:
        raise InputError([unknown(where, "statistic", name, known) for name in wrong])


def first(scenario: Resolved) -> int:
    """Replications before the first look."""
    run = scenario.run
    return (
        run.replications if run.precision is None else min(max(run.replications, FIRST), run.max_replications)
    )


def wanted_after(result: RunResult) -> int:
    """How many replications are wanted in all, after these."""
    if result.scenario.run.precision is None or not result.complete:
        return result.replications
    found = precision(result.scenario.run, summarise(result)["metrics"], result.replications)
    assert found is not None
    return enough(found)


def _add(
    scenario: Resolved, how: How, run: Map, done: list[RunResult], wanted: int, told: Told | None
) -> bool:
    """Appends replications until there are `wanted`; False if an interruption forestalled some."""
    work = partial(_one, scenario, how)
    try:
        if told is not None:
            told(len(done), wanted)
        for result in run(work, range(len(done), wanted)):
            if not result.complete:
                return _cut(done, result)
            done.append(result)
            if told is not None:
                told(len(done), wanted)
    except KeyboardInterrupt:
        return _cut(done, None)
    return True


def _cut(done: list[RunResult], last: RunResult | None) -> bool:
    """After an interruption: False. An incomplete replication counts only where there is no other."""
    if not done and last is not None:
        done.append(last)
    done[-1:] = [replace(result, complete=False) for result in done[-1:]]
    return False


def _one(scenario: Resolved, how: How, replication: int) -> RunResult:
    return simulate(scenario, replication, TELLER.get(), keep_steps=how.keep_steps, exact=how.exact)
