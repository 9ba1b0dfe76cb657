"""Whether intervals are as narrow as `run.precision` asks, and how many replications would make them so."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from simulator.results.intervals import INTERVALS
from simulator.results.metrics import DISTRIBUTIONS, SCALARS
from simulator.scenario.resolved import RunSpec

FIRST = 10  # replications before the first look: a spread from fewer is a guess (Law, ch. 9.4.1)
GROWTH = 2  # at most so many times as many after a look: an early guess of the spread must not run away


@dataclass(frozen=True, slots=True)
class Precision:
    """asked: the share; reached: each statistic's half-width over its value, None where it has no value.

    met: whether all are that precise; most: the most replications that were allowed.
    """

    asked: float
    reached: dict[str, float | None]
    met: bool
    replications: int
    most: int


def names() -> list[str]:
    """What run.precision_of may name."""
    spread = [f"{metric.name}.{key}" for metric in DISTRIBUTIONS for key in INTERVALS]
    return [*spread, *(metric.name for metric in SCALARS)]


def precision(run: RunSpec, metrics: dict[str, Any], replications: int) -> Precision | None:
    """metrics: as in summary.json, of so many replications. None where no precision is asked for."""
    if run.precision is None:
        return None
    reached = {name: half_width(metrics, name) for name in run.precision_of}
    met = all(width is not None and width <= run.precision for width in reached.values())
    return Precision(run.precision, reached, met, replications, run.max_replications)


def half_width(metrics: dict[str, Any], name: str) -> float | None:
    """Half the interval over the value; None where either is not known."""
    metric, _, key = name.partition(".")
    entry = metrics[metric]
    value = entry.get(key or "value")
    interval = (entry.get("interval") or {}).get(key) if key else entry.get("interval")
    if value is None or interval is None or interval["high"] is None:
        return None
    half = max(interval["high"] - value, value - interval["low"])  # one end may be cut off at what can be
    return half / abs(value) if value else (0.0 if not half else math.inf)


def enough(found: Precision) -> int:
    """How many replications would reach it, as the spread looks now: half-widths shrink with their root.

    No more than there are where it is met, where the most are run, and where a statistic has no value.
    """
    widths = [width for width in found.reached.values() if width is not None]
    if found.met or len(widths) < len(found.reached) or found.replications >= found.most:
        return found.replications
    needed = found.replications * (max(widths) / found.asked) ** 2
    ceiling = min(GROWTH * found.replications, found.most)
    return max(found.replications + 1, min(ceiling, math.ceil(min(needed, ceiling))))


def document(found: Precision | None) -> dict[str, Any] | None:
    """As summary.json has it."""
    return None if found is None else asdict(found)
