"""What a comparison says, as one document: every design, and what changes from the first to each other."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from simulator import __version__
from simulator.results.curves import document as distributions
from simulator.results.decomposition import Decomposition
from simulator.results.intervals import Studied, metrics
from simulator.results.pools import pools
from simulator.results.precision import Precision
from simulator.results.saturation import Saturation
from simulator.results.statistics import mean
from simulator.results.summary import clean, objectives, refusal
from simulator.results.verdict import judge
from simulator.results.warmup import Warmup
from simulator.scenario.resolved import Resolved
from simulator.study.changes import Level, changes, part_changes
from simulator.study.compare_verdict import verdict
from simulator.study.measure import Ran, Reading

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Design:
    """One of those compared. queue: the check that speaks for all replications, and how many fail it."""

    label: str
    scenario: Resolved
    ran: list[Ran]
    queue: tuple[Saturation, int]
    warm: Warmup
    readings: list[Reading]

    @property
    def studied(self) -> Studied:
        """Of all replications together."""
        parts = [reading.studied for reading in self.readings]
        wholes = [whole for part in parts for whole in part.wholes]
        return Studied(wholes, parts[0].sections, parts[0].samples, self.scenario.run.confidence)

    @property
    def refused(self) -> str:
        """Why its latencies are not given; empty if they are."""
        return refusal(asdict(self.queue[0]))


def document(designs: Sequence[Design], different: bool, complete: bool) -> dict[str, Any]:
    """The comparison; plain values, None where a figure does not exist."""
    base, *others = designs
    level = level_of(designs, different)
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "hash": identity(designs, different),
        "versions": {"sim": __version__, "numpy": np.__version__},
        "complete": complete,
        "replications": len(base.ran),
        "confidence": base.scenario.run.confidence,
        "method": _method(base, others, different, level),
        "workload": {
            "same": not different,
            "requests": [one.requests["all"] for one in base.ran],
            "provenance": base.ran[0].provenance["workload"],
        },
        "warmup": asdict(base.warm),
        "designs": [_design(design) for design in designs],
        "changes": [_against(base, other, level) for other in others],
    }
    found["precision"] = _precision_document(precision(designs, different))
    cleaned: dict[str, Any] = clean(found)
    return cleaned | {"verdict": verdict(cleaned)}


def level_of(designs: Sequence[Design], different: bool) -> Level:
    """Several comparisons share the error: Bonferroni."""
    confidence = designs[0].scenario.run.confidence
    return Level(1 - (1 - confidence) / (len(designs) - 1), different)


def identity(designs: Sequence[Design], different: bool) -> str:
    """SHA-256 (hex) of what decides the result: scenarios in order, replications, the way to compare."""
    parts = [design.scenario.hash for design in designs]
    text = json.dumps([parts, [design.label for design in designs], len(designs[0].ran), different])
    return hashlib.sha256(text.encode()).hexdigest()


def precision(designs: Sequence[Design], different: bool) -> Precision | None:
    """How precise the relative changes are, the widest of all comparisons; None if none is asked for."""
    run = designs[0].scenario.run
    if run.precision is None or different:
        return None
    base, *others = designs
    level = level_of(designs, different)
    found = [changes(base.studied, other.studied, level, "") for other in others]
    reached: dict[str, float | None] = {}
    for name in run.precision_of:
        refused = any(design.refused for design in designs) and name.startswith(
            ("ttft_s", "e2e_s", "queue_s")
        )
        widths = [_half(one, name) for one in found]
        reached[name] = (
            None if refused or None in widths else max(width for width in widths if width is not None)
        )
    met = all(width is not None and width <= run.precision for width in reached.values())
    return Precision(run.precision, reached, met, len(base.ran), run.max_replications)


def _half(found: dict[str, Any], name: str) -> float | None:
    """Half the relative change's interval."""
    metric, _, key = name.partition(".")
    entry = found[metric][key] if key else found[metric]
    relative = entry and entry.get("relative")
    if not relative:
        return None
    change = entry["b"] / entry["a"] - 1  # in the middle, unless the lower end is cut off at −100 %
    return float(max(relative["high"] - change, change - relative["low"]))


def _precision_document(found: Precision | None) -> dict[str, Any] | None:
    return None if found is None else asdict(found)


def _method(base: Design, others: Sequence[Design], different: bool, level: Level) -> str:
    n = len(base.ran)
    if different:
        how = f"{n} replications of different workloads, Welch's t"
    elif n > 1:
        how = f"{n} pairs of replications under the same requests, Student's t over their differences"
    else:
        how = "one run each under the same requests, sections of it paired"
    many = (
        f"; {level.confidence * 100:.4g} % each (Bonferroni, {len(others)} comparisons)"
        if len(others) > 1
        else ""
    )
    return how + many


def _design(design: Design) -> dict[str, Any]:
    """What a run's summary says of it, as far as it concerns a comparison."""
    scenario, readings = design.scenario, design.readings
    queue, count = design.queue
    document: dict[str, Any] = {
        "label": design.label,
        "confidence": scenario.run.confidence,
        "scenario": {"name": scenario.name, "hash": scenario.hash, "seed": scenario.seed},
        "model": {
            "name": scenario.model.shape.name,
            "weights": scenario.model.weight_dtype,
            "kv_cache": scenario.model.kv_dtype,
        },
        "engines": {
            pool.name: f"{pool.engine.preset} ({pool.engine.version})" for pool in scenario.fleet.pools
        },
        "fleet": asdict(design.ran[0].hardware),
        "requests": _summed([one.requests for one in design.ran]),
        "saturation": asdict(queue) | {"replications_saturated": count},
        "slo": objectives(scenario.slo, [reading.kept for reading in readings]),
        "metrics": metrics(design.studied, design.refused),
        "distributions": distributions([reading.curves for reading in readings], design.refused),
        "parts": _mean_parts([reading.parts for reading in readings]),
        "pools": pools(scenario, [reading.pools for reading in readings]),
        "cost": design.ran[0].provenance["cost"],
        "complete": True,
    }
    cleaned = clean(document)
    del document["complete"]
    return document | {"verdict": judge(cleaned)}


def _against(base: Design, other: Design, level: Level) -> dict[str, Any]:
    refused = " and ".join(f"{one.label} is saturated" for one in (base, other) if one.refused)
    return {
        "from": base.label,
        "to": other.label,
        "confidence": level.confidence,
        "refused": refused or None,
        "pairs": _pairs(base, level),
        "metrics": changes(base.studied, other.studied, level, refused),
        "parts": part_changes(
            [reading.parts for reading in base.readings], [reading.parts for reading in other.readings], level
        ),
    }


def _pairs(base: Design, level: Level) -> str:
    """What a share of wins is a share of."""
    if level.different:
        return ""
    return f"{len(base.ran)} paired runs" if len(base.ran) > 1 else "the run's paired sections"


def _summed(tables: Sequence[dict[str, int]]) -> dict[str, int]:
    return {name: sum(table[name] for table in tables) for name in tables[0]}


def _mean_parts(replications: Sequence[Decomposition]) -> Decomposition:
    return {
        group: {part: _known_mean([one[group][part] for one in replications]) for part in parts}
        for group, parts in replications[0].items()
    }


def _known_mean(values: Sequence[float]) -> float:
    return mean([value for value in values if not math.isnan(value)])
