"""Metrics with their intervals: from replications, or from sections of the one run there is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from simulator.results import confidence as ci
from simulator.results.metrics import DISTRIBUTIONS, SCALARS, Evaluated, evaluate
from simulator.results.sample import Sample, View
from simulator.results.statistics import PERCENTILES, STATISTICS

INTERVALS = ("mean", *(f"p{p}" for p in PERCENTILES))


@dataclass(frozen=True, slots=True)
class Studied:
    """One evaluation per replication; of a single one also evaluations of its sections, by their number."""

    wholes: list[Evaluated]
    sections: dict[int, list[Evaluated]]
    samples: list[Sample]
    confidence: float


def study(replications: Sequence[View], cut: float, confidence: float) -> Studied:
    """Evaluates what intervals need: each replication, or one and its sections."""
    samples = [view.sample(cut) for view in replications]
    sections: dict[int, list[Evaluated]] = {}
    if len(replications) == 1:
        for count in (ci.MOST_SECTIONS, ci.FEWEST_SECTIONS):
            sections[count] = [evaluate(sample) for sample in _sections(replications[0], cut, count)]
    return Studied([evaluate(sample) for sample in samples], sections, samples, confidence)


def _sections(view: View, cut: float, count: int) -> Iterator[Sample]:
    """Equally many requests in each, by the time they were sent."""
    sent = view.requests["sent_s"]
    first = int(np.searchsorted(sent, cut))
    if len(sent) - first < count * 5:
        return
    edges = np.linspace(first, len(sent) - 1, count + 1).round().astype(int)
    for begin, end in pairwise(edges):
        if sent[end] > sent[begin]:
            yield view.sample(float(sent[begin]), float(sent[end]))


def metrics(studied: Studied, refused: str = "") -> dict[str, Any]:
    """Every metric; refused: why those that contain queueing are not given."""
    document: dict[str, Any] = {}
    for metric in DISTRIBUTIONS:
        entry: dict[str, Any] = {"unit": metric.unit, "definition": metric.definition}
        if metric.queued and refused:
            entry |= {"refused": refused, **dict.fromkeys(STATISTICS)}
        else:
            entry |= _statistics(metric.name, studied)
        document[metric.name] = entry
    for scalar in SCALARS:
        values = [_number(whole, scalar.name) for whole in studied.wholes]
        sections = {
            count: [_number(part, scalar.name) for part in parts] for count, parts in studied.sections.items()
        }
        document[scalar.name] = {
            "unit": scalar.unit,
            "definition": scalar.definition,
            "value": mean(values),
            "interval": _interval(values, sections, math.inf, None, studied.confidence),
        }
    return document


def _statistics(name: str, studied: Studied) -> dict[str, Any]:
    """Means over replications of each statistic, and intervals of those in INTERVALS."""
    tables = [_table(whole, name) for whole in studied.wholes]
    entry: dict[str, Any] = {"n": sum(int(table["n"]) for table in tables)}
    entry |= {key: mean([table[key] for table in tables]) for key in STATISTICS}
    entry["interval"] = {}
    for key in INTERVALS:
        p = float(key[1:]) / 100 if key.startswith("p") else None
        sections = {
            count: [_table(part, name)[key] for part in parts] for count, parts in studied.sections.items()
        }
        interval = _interval([table[key] for table in tables], sections, entry["n"], p, studied.confidence)
        if interval is None and p is not None and len(tables) == 1 and name in studied.samples[0].requests:
            series = studied.samples[0].of_finished(name)
            found = ci.correlated_quantile_interval(series, p, studied.confidence)
            interval = found._asdict() if found else None
        entry["interval"][key] = interval
    return entry


def _interval(
    wholes: list[float], sections: dict[int, list[float]], n: float, p: float | None, confidence: float
) -> dict[str, Any] | None:
    """Over replications if there are two or more, else over sections long enough and not correlated."""
    if len(wholes) > 1:
        found = ci.over_replications(wholes, confidence)
        return found._asdict() if found else None
    count = ci.sections_for(int(n), p) if math.isfinite(n) else ci.MOST_SECTIONS
    parts = sections.get(count, [])
    if count == ci.MOST_SECTIONS and parts and ci.correlated(parts, confidence):
        parts = sections[ci.FEWEST_SECTIONS]
    found = ci.over_sections(wholes[0], parts, confidence) if parts else None
    return found._asdict() if found else None


def _table(evaluated: Evaluated, name: str) -> dict[str, float]:
    value = evaluated[name]
    assert isinstance(value, dict)
    return value


def _number(evaluated: Evaluated, name: str) -> float:
    value = evaluated[name]
    assert not isinstance(value, dict)
    return value


def mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else math.nan
