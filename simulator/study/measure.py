"""One replication of one design: run and kept in a scratch file, later read from the warm-up's end on.

Two steps, because the warm-up is known only when all replications of all designs have run. Both happen in
the worker that has time; what travels between processes is small.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.results.curves import curves
from simulator.results.decomposition import Decomposition, decompose
from simulator.results.gaps import Floats
from simulator.results.intervals import Studied, study
from simulator.results.metrics import evaluate
from simulator.results.pools import PoolReading, read_pools
from simulator.results.run import RunResult
from simulator.results.sample import Hardware, lone
from simulator.results.saturation import Saturation
from simulator.results.summary import counts, course, kept, queue
from simulator.results.warmup import Course
from simulator.scenario.resolved import Resolved
from simulator.simulate import simulate
from simulator.study.same_workload import digest, requests_of
from simulator.study.worker import TELLER


@dataclass(frozen=True, slots=True)
class Point:
    """A design by its number, and a replication of it."""

    design: int
    replication: int
    scenario: Resolved


@dataclass(frozen=True, slots=True)
class Ran:
    """What is known of a run before its warm-up is. file: where it is kept; digest: of its workload."""

    file: Path
    course: Course
    queue: Saturation
    digest: str
    requests: dict[str, int]
    hardware: Hardware
    provenance: dict[str, Any]
    complete: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """A run from the warm-up's end on. studied: its metrics; kept: shares that keep each bound of the SLO;
    parts: where the time of its requests went; pools: what each pool did; curves: distributions.
    """

    studied: Studied
    kept: dict[str, float]
    parts: Decomposition
    pools: dict[str, PoolReading]
    curves: dict[str, Floats]


def run_point(folder: Path, point: Point) -> Ran:
    """Runs it and keeps it in the folder. Raises InputError for what cannot work."""
    load = requests_of(point.scenario, point.replication)
    result = simulate(point.scenario, point.replication, TELLER.get(), load=load)
    file = folder / f"{point.design}-{point.replication}.pickle"
    file.write_bytes(pickle.dumps(result, pickle.HIGHEST_PROTOCOL))
    view = lone(result)
    known = (course(view), queue(view), digest(load), counts(result), view.hardware[""])
    return Ran(file, *known, result.provenance, result.complete)


def read(cut: float, sections: bool, file: Path) -> Reading:
    """sections: also the metrics of sections of the run, for a single one."""
    result: RunResult = pickle.loads(file.read_bytes())
    view, confidence = lone(result), result.scenario.run.confidence
    sample = view.sample(cut, gaps=view.token_gaps(cut))
    studied = study([view], cut, confidence) if sections else Studied([evaluate(sample)], {}, [], confidence)
    limits = result.limits[0] if result.limits else {}
    parts, pools = decompose(result.requests, cut), read_pools(view, limits, cut)
    return Reading(studied, kept(sample), parts, pools, curves(sample))
