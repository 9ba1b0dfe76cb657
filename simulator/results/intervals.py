"""Metrics with their intervals: from replications, or from sections of the one run there is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from simulator.results import confidence as ci
from simulator.results.gaps import Weighted, combined
from simulator.results.metrics import DISTRIBUTIONS, SCALARS, Evaluated, Scalar, evaluate
from simulator.results.sample import Sample, View
from simulator.results.statistics import PERCENTILES, STATISTICS, mean

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
    if len(replications) > 1:
        samples = [view.sample(cut, gaps=view.token_gaps(cut)) for view in replications]
        return Studied([evaluate(sample) for sample in samples], {}, samples, confidence)
    view = replications[0]
    edges = _edges(view, cut)
    parts = [view.token_gaps(begin, end) for begin, end in pairwise([cut, *edges, math.inf])]
    fine = _sections(view, edges, parts[1:-1])
    pairs = [_together(pair) for pair in zip(parts[1:-1:2], parts[2:-1:2])]
    coarse = _sections(view, edges[::2], pairs)
    whole = view.sample(cut, gaps=_together(parts))
    sections = {ci.MOST_SECTIONS: fine, ci.FEWEST_SECTIONS: coarse}
    return Studied([evaluate(whole)], sections, [whole], confidence)


def _edges(view: View, cut: float) -> list[float]:
    """Between them equally many requests were sent; none where the requests are too few for sections."""
    sent = view.requests["sent_s"]
    first = int(np.searchsorted(sent, cut))
    if len(sent) - first < ci.MOST_SECTIONS * 5:
        return []
    edges = np.linspace(first, len(sent) - 1, ci.MOST_SECTIONS + 1).round().astype(int)
    return [float(time) for time in sent[edges]]


def _sections(view: View, edges: list[float], gaps: Sequence[Weighted | None]) -> list[Evaluated]:
    windows = zip(pairwise(edges), gaps, strict=True)
    return [evaluate(view.sample(begin, end, gaps=some)) for (begin, end), some in windows if end > begin]


def _together(parts: Sequence[Weighted | None]) -> Weighted | None:
    known = [part for part in parts if part is not None]
    return combined(known) if known else None


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
        entry = {"unit": scalar.unit, "definition": scalar.definition}
        if scalar.queued and refused:
            entry |= {"refused": refused, "value": None, "interval": None}
        else:
            entry |= _value(scalar, studied)
        document[scalar.name] = entry
    return document


def _value(scalar: Scalar, studied: Studied) -> dict[str, Any]:
    name = scalar.name
    values = [_number(whole, name) for whole in studied.wholes]
    sections = {count: [_number(part, name) for part in parts] for count, parts in studied.sections.items()}
    usable = sections if scalar.steady else {}
    found = _interval(values, usable, math.inf, None, studied.confidence)
    return {"value": mean(values), "interval": _possible(found, scalar.most)}


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
        found = _interval([table[key] for table in tables], sections, entry["n"], p, studied.confidence)
        if found is None and p is not None and len(tables) == 1 and name in studied.samples[0].requests:
            series = studied.samples[0].of_finished(name)
            found = ci.correlated_quantile_interval(series, p, studied.confidence)
        entry["interval"][key] = _possible(found)
    return entry


def _possible(found: ci.Interval | None, most: float = math.inf) -> dict[str, Any] | None:
    """As the document has it: no metric is negative, and none is over `most`."""
    return ci.within(found, most)._asdict() if found else None


def _interval(
    wholes: list[float], sections: dict[int, list[float]], n: float, p: float | None, confidence: float
) -> ci.Interval | None:
    """Over replications if there are two or more, else over sections long enough and not correlated."""
    if len(wholes) > 1:
        return ci.over_replications(wholes, confidence)
    count = ci.sections_for(int(n), p) if math.isfinite(n) else ci.MOST_SECTIONS
    parts = sections.get(count, [])
    if count == ci.MOST_SECTIONS and parts and ci.correlated(parts, confidence):
        parts = sections[ci.FEWEST_SECTIONS]
    return ci.over_sections(wholes[0], parts, confidence) if parts else None


def _table(evaluated: Evaluated, name: str) -> dict[str, float]:
    value = evaluated[name]
    assert isinstance(value, dict)
    return value


def _number(evaluated: Evaluated, name: str) -> float:
    value = evaluated[name]
    assert not isinstance(value, dict)
    return value
