"""What changes from one side to the other, as one document."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.results import confidence as ci
from simulator.results.metrics import SCALARS
from simulator.results.pairs import Change, sectioned
from simulator.results.summary import clean
from simulator.study.diff.scenarios import differences
from simulator.study.diff.side import LATENCIES, Floats, Side, asked
from simulator.study.diff.verdict import verdict

SCHEMA = 1
CONFIDENCE = 0.95
STATISTICS = ("mean", "p50", "p90", "p95", "p99")
RATES = ("request_throughput", "output_throughput")

Rows = NDArray[np.bool_]


def compare(a: Side, b: Side) -> dict[str, Any]:
    """From a to b, where b may be a measurement: then errors of a, a / b − 1, stand beside.

    Requests are paired one by one where both sides were asked for the same; else each side speaks for itself.
    Warm-up is left out of two runs, not of a comparison with a measurement, which counts all that it has.
    """
    is_measured = b.run is None
    same = _same(a, b)
    cut = 0.0 if is_measured else max(a.cut_s, b.cut_s)
    rows = _rows(a, b, same, cut)
    paired = rows[0] & rows[1] if same else None
    a, b = _named(a, b)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "a": _about(a, rows[0]),
        "b": _about(b, rows[1]),
        "measured": is_measured,
        "paired": same,
        "cut_s": cut,
        "scenario": [] if is_measured else differences(a, b),
        "metrics": _latencies(a, b, rows, paired) | _itl(a, b),
        "rates": _rates(a, b, rows),
        "fleet": {} if is_measured else _scalars(a, b),
        "requests": _requests(a, b, paired) if paired is not None else None,
        "parts": _parts(a, b, rows, paired),
    }
    cleaned: dict[str, Any] = clean(document)
    return cleaned | {"verdict": verdict(cleaned)}


def _named(a: Side, b: Side) -> tuple[Side, Side]:
    """Told apart: runs of one name by their folders."""
    if a.run is None or b.run is None or a.name != b.name:
        return a, b
    return replace(a, name=a.run.path.resolve().name), replace(b, name=b.run.path.resolve().name)


def _same(a: Side, b: Side) -> bool:
    """Whether both were asked for the same, request by request; of a measurement lengths tell."""
    if len(a.done) != len(b.done):
        return False
    if a.run is not None and b.run is not None:
        return bool(asked(a.run).equals(asked(b.run)))
    both = a.done & b.done
    return all(
        bool(np.array_equal(first[both], second[both]))
        for first, second in ((a.prompt_tokens, b.prompt_tokens), (a.output_tokens, b.output_tokens))
    )


def _rows(a: Side, b: Side, same: bool, cut: float) -> tuple[Rows, Rows]:
    """Finished requests that count; of pairs those that finished in both, sent from the cut on in a."""
    if same:
        both = a.done & b.done & (a.arrival_s >= cut)
        return both, both
    return a.done & (a.arrival_s >= cut), b.done & ((b.arrival_s >= cut) | np.isnan(b.arrival_s))


def _about(side: Side, rows: Rows) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": side.name,
        "requests": len(side.done),
        "finished": int(side.done.sum()),
        "counted": int(rows.sum()),
        "prompt_tokens": float(side.prompt_tokens[side.done].sum()),
        "output_tokens": float(side.output_tokens[side.done].sum()),
    }
    if side.run is None:
        return told
    summary = side.run.summary
    saturated = summary["saturation"]["saturated"]
    return told | {"path": str(side.run.path), "hash": summary["scenario"]["hash"], "saturated": saturated}


def _latencies(a: Side, b: Side, rows: tuple[Rows, Rows], paired: Rows | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in LATENCIES:
        first, second = (side.latencies[name][own] for side, own in zip((a, b), rows, strict=True))
        if paired is not None:
            known = ~(np.isnan(first) | np.isnan(second))
            first, second = first[known], second[known]
        found[name] = {key: _statistic(first, second, key, paired is not None) for key in STATISTICS}
    return found


def _statistic(a: Floats, b: Floats, key: str, paired: bool) -> dict[str, Any] | None:
    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    if not len(a) or not len(b):
        return None
    whole = _point(a, key), _point(b, key)
    return _entry(*whole, _sectioned(whole, a, b, key) if paired else None)


def _sectioned(whole: tuple[float, float], a: Floats, b: Floats, key: str) -> Change | None:
    """Sections of the same requests in both, in their order."""
    count = ci.sections_for(len(a), float(key[1:]) / 100 if key.startswith("p") else None)
    if not count:
        return None
    first, second = ([_point(part, key) for part in np.array_split(values, count)] for values in (a, b))
    return sectioned(whole, first, second, "lower", CONFIDENCE)


def _point(values: Floats, key: str) -> float:
    return float(values.mean()) if key == "mean" else float(np.percentile(values, float(key[1:])))


def _entry(a: float, b: float, change: Change | None = None) -> dict[str, Any]:
    """relative: b / a − 1; error: a / b − 1, what a prediction a is off by."""
    told = {"a": a, "b": b, "relative": b / a - 1 if a else math.nan, "error": a / b - 1 if b else math.nan}
    if change is None or change.relative is None:
        return told | {"interval": None}
    return told | {"interval": change.relative._asdict()}


def _itl(a: Side, b: Side) -> dict[str, Any]:
    if b.run is None and a.cut_s:
        return {}  # of a run only known without its warm-up, which a measurement counts
    keys = [key for key in STATISTICS if key in a.itl and key in b.itl]
    return {"itl_s": {key: _entry(a.itl[key], b.itl[key]) for key in keys}} if keys else {}


def _rates(a: Side, b: Side, rows: tuple[Rows, Rows]) -> dict[str, Any]:
    first, second = (side.rates(own) for side, own in zip((a, b), rows, strict=True))
    return {name: _entry(first[name], second[name]) for name in RATES if name in first and name in second}


def _scalars(a: Side, b: Side) -> dict[str, Any]:
    """What two runs say of themselves, each after its own warm-up."""
    assert a.run is not None and b.run is not None
    found = {}
    for metric in SCALARS:
        values = [side.run.summary["metrics"][metric.name].get("value") for side in (a, b) if side.run]
        if None not in values:
            found[metric.name] = _entry(*values) | {"unit": metric.unit, "better": metric.better}
    return found


def _requests(a: Side, b: Side, rows: Rows) -> dict[str, Any]:
    """Pair by pair: how many are faster and slower in b, and the median of the relative change."""
    found = {}
    for name in LATENCIES:
        first, second = a.latencies[name][rows], b.latencies[name][rows]
        known = ~(np.isnan(first) | np.isnan(second))
        first, second = first[known], second[known]
        if len(first):
            with np.errstate(divide="ignore", invalid="ignore"):
                relative = second / first - 1
            found[name] = {
                "n": len(first),
                "faster": float((second < first).mean()),
                "equal": float((second == first).mean()),
                "slower": float((second > first).mean()),
                "median_relative": float(np.nanmedian(relative)),
                "median_absolute_relative": float(np.nanmedian(np.abs(relative))),
            }
    return found


def _parts(a: Side, b: Side, rows: tuple[Rows, Rows], paired: Rows | None) -> dict[str, Any]:
    if not a.parts or not b.parts:
        return {}
    return {
        name: _statistic(a.parts[name][rows[0]], b.parts[name][rows[1]], "mean", paired is not None)
        for name in a.parts
    }
