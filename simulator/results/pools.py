"""What the replicas of each pool did, and what limits them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from simulator.results.bottleneck import bottleneck, full_time
from simulator.results.limits import PoolLimits
from simulator.results.metrics import WORK
from simulator.results.sample import Hardware, View
from simulator.results.statistics import mean
from simulator.scenario.resolved import Resolved


@dataclass(frozen=True, slots=True)
class PoolReading:
    """One pool in one replication. figures: its metrics of work; full: as from bottleneck.full_time."""

    hardware: Hardware
    figures: dict[str, float]
    full: dict[str, float]
    limits: PoolLimits | None


def read_pools(view: View, limits: dict[str, PoolLimits], cut: float) -> dict[str, PoolReading]:
    """Every pool from the cut on; limits are of the whole replication, {} where they are not known."""
    found = {}
    for spec in view.scenario.fleet.pools:
        sample = view.sample(cut, pool=spec.name)
        figures = {metric.name: metric.value(sample) for metric in WORK}
        full = full_time(view, spec, cut)
        found[spec.name] = PoolReading(sample.hardware, figures, full, limits.get(spec.name))
    return found


def pools(scenario: Resolved, replications: Sequence[dict[str, PoolReading]]) -> dict[str, Any]:
    """As summary.json has them: means over replications."""
    document: dict[str, Any] = {}
    for spec in scenario.fleet.pools:
        readings = [replication[spec.name] for replication in replications]
        figures = _means([reading.figures for reading in readings])
        full = _means([reading.full for reading in readings])
        limits = [reading.limits for reading in readings if reading.limits is not None]
        document[spec.name] = {
            "replicas": readings[0].hardware.replicas,
            "accelerator": spec.accelerator.name,
            "accelerators": readings[0].hardware.accelerators,
            "max_num_seqs": spec.engine.max_num_seqs,
            **figures,
            "limits": asdict(bottleneck(spec, scenario.model, figures, full, limits)),
        }
    return document


def _means(tables: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: mean([table[name] for table in tables]) for name in tables[0]}
