"""Several designs under the same requests: common random numbers, pair by pair.

Replication r of every design sees the same arrivals, lengths and prefixes, which is asserted. The first
design is what the others are compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from simulator.errors import InputError, Problem
from simulator.fleet.build import price
from simulator.results import saturation
from simulator.results.precision import FIRST, enough
from simulator.results.warmup import Warmup, warm_up
from simulator.scenario.places import positioned
from simulator.scenario.resolved import Resolved
from simulator.study import same_workload
from simulator.study.compared import Design, document, precision
from simulator.study.measure import Point, Ran, read, run_point
from simulator.study.parallel import Map, Watch, here, workers
from simulator.study.replicate import check as check_precision

Told = Callable[[int, int], None]
DEFAULT = 10  # replications, where the scenarios name no number


@dataclass(frozen=True, slots=True)
class Asked:
    """designs: label and scenario; replications 1: one run of each, cut into sections; different: the
    workloads may differ, and are not paired then.
    """

    designs: tuple[tuple[str, Resolved], ...]
    replications: int
    different: bool = False


def replications_named(scenarios: Sequence[Resolved]) -> int | None:
    """The replications that scenarios ask for; one, where one says that its trace is not to be resampled."""
    if any(one.run.resample == "none" and "run.resample" in one.places for one in scenarios):
        return 1
    most = max((one.run.replications for one in scenarios), default=1)
    return most if most > 1 or any("run.replications" in one.places for one in scenarios) else None


def labelled(scenarios: Sequence[Resolved]) -> list[tuple[str, Resolved]]:
    """Each by its name; the second of a name as name#2."""
    labels: list[str] = []
    for scenario in scenarios:
        before = sum(label.partition("#")[0] == scenario.name for label in labels)
        labels.append(f"{scenario.name}#{before + 1}" if before else scenario.name)
    return list(zip(labels, scenarios, strict=True))


def compare(asked: Asked, count: int, told: Told | None = None, watch: Watch | None = None) -> dict[str, Any]:
    """The comparison as a document, run on `count` processes; told(runs done, runs planned).

    An interruption ends with the replications that all designs have completed; KeyboardInterrupt if there is
    none. Raises InputError for what cannot be compared, before any run.
    """
    check(asked)
    with TemporaryDirectory(prefix="sim-compare-") as scratch, workers(count, watch) as run:
        ran: list[list[Ran]] = [[] for _ in asked.designs]
        wanted, complete = first(asked), True
        while complete and len(ran[0]) < wanted:
            complete = _add(asked, Path(scratch), run, ran, wanted, told)
            if not ran[0]:
                raise KeyboardInterrupt("no pair of runs is complete, so there is nothing to keep")
            found = _read(asked, ran, run if complete else here)
            wanted = len(ran[0]) if not complete else _wanted(asked, found, wanted)
    return document(found, asked.different, complete)


def check(asked: Asked) -> None:
    """Raises InputError with what forbids a comparison: other ways to judge, or other requests."""
    (name, base), *others = asked.designs
    if not others:
        raise InputError(Problem("", "one design alone cannot be compared", "two scenarios or more"))
    problems = []
    for other_name, other in others:
        for key, ours, theirs in _judged_by(base, other):
            where = other.places.get(key, f"{other_name}: {key}")
            problems.append(
                Problem(where, f"{key} is {theirs}, but {ours} in {name}", "equal ones, for all designs")
            )
    for _, scenario in asked.designs:
        problems += _faults(scenario)
    if problems:
        raise InputError(list(dict.fromkeys(problems)))
    if not asked.different:
        same_workload.check(asked.designs, asked.replications)


def _faults(scenario: Resolved) -> tuple[Problem, ...]:
    """What keeps a design from running at all: a model that does not fit, above all."""
    try:
        check_precision(scenario)
        price(scenario)
    except InputError as error:
        return positioned(error, scenario.places).problems
    return ()


def _judged_by(a: Resolved, b: Resolved) -> list[tuple[str, Any, Any]]:
    """What decides how results are judged, where it differs."""
    keys = ("warmup_s", "duration_s", "confidence", "precision", "precision_of", "max_replications")
    pairs = [(f"run.{key.removesuffix('_s')}", getattr(a.run, key), getattr(b.run, key)) for key in keys]
    return [pair for pair in [("slo", a.slo, b.slo), *pairs] if pair[1] != pair[2]]


def first(asked: Asked) -> int:
    """Replications before the first look."""
    run = asked.designs[0][1].run
    if run.precision is None:
        return asked.replications
    return min(max(asked.replications, FIRST), run.max_replications)


def _add(asked: Asked, folder: Path, run: Map, ran: list[list[Ran]], wanted: int, told: Told | None) -> bool:
    """Runs every design until there are `wanted` replications of it; False if that was interrupted."""
    designs = [scenario for _, scenario in asked.designs]
    done = len(ran[0])
    points = [Point(number, r, design) for r in range(done, wanted) for number, design in enumerate(designs)]
    fresh: list[Ran] = []
    try:
        if told is not None:
            told(done * len(designs), wanted * len(designs))
        for result in run(partial(run_point, folder), points):
            if not result.complete:
                break
            fresh.append(result)
            if told is not None:
                told(done * len(designs) + len(fresh), wanted * len(designs))
    except KeyboardInterrupt:
        pass
    for start, end in pairwise(range(0, len(fresh) + 1, len(designs))):
        _keep(ran, fresh[start:end], asked.different)
    return len(fresh) == len(points)


def _keep(ran: list[list[Ran]], together: Sequence[Ran], different: bool) -> None:
    """One replication of every design. What was checked before any run is asserted of each."""
    digests = {one.digest for one in together}
    assert different or len(digests) == 1, f"replication {len(ran[0])} has {len(digests)} workloads"
    for runs, one in zip(ran, together, strict=True):
        runs.append(one)


def _read(asked: Asked, ran: list[list[Ran]], run: Map) -> list[Design]:
    """Every run from the end of the longest warm-up on: all designs are judged by the same requests."""
    queues = [saturation.judged([one.queue for one in runs]) for runs in ran]
    warm = _warm_up(asked, ran, [bool(found.saturated) for found, _ in queues])
    files = [one.file for runs in ran for one in runs]
    readings = list(run(partial(read, warm.cut_s, len(ran[0]) == 1), files))
    size = len(ran[0])
    return [
        Design(label, scenario, runs, queue, warm, readings[number * size : (number + 1) * size])
        for number, ((label, scenario), runs, queue) in enumerate(
            zip(asked.designs, ran, queues, strict=True)
        )
    ]


def _warm_up(asked: Asked, ran: list[list[Ran]], growing: Sequence[bool]) -> Warmup:
    given = asked.designs[0][1].run.warmup_s
    found = [
        warm_up([one.course for one in runs], given, grows) for runs, grows in zip(ran, growing, strict=True)
    ]
    return max(found, key=lambda warm: warm.cut_s)


def _wanted(asked: Asked, designs: Sequence[Design], wanted: int) -> int:
    found = precision(designs, asked.different)
    return wanted if found is None else enough(found)
