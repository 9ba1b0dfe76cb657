"""The `synthetic` part of a scenario: its fields, strictly checked, every fault at once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from simulator import catalog
from simulator.errors import InputError, Problem
from simulator.workload.fields import REQUIRED, Fields, flag, number, whole
from simulator.workload.spec import Arrivals, Duration, Lengths, Prefix, Synthetic

ARRIVALS = ("poisson", "gamma", "constant", "closed_loop")
LENGTHS = ("constant", "uniform", "lognormal", "quantiles", "empirical")
PREFIXES = ("none", "shared", "sessions")
DURATIONS = ("constant", "exponential", "lognormal")
_TOLD = ("aliases", "about", "kind")  # of a catalogue's entry, not parameters


def parse(data: Any, where: str = "workload.synthetic") -> Synthetic:
    """The spec of a mapping, or of a named workload, whose fields the mapping's own replace.

    Raises InputError with every fault.
    """
    problems: list[Problem] = []
    fields = Fields(_with_named(data, where), where, problems)
    prefix = fields.child("prefix")
    synthetic = Synthetic(
        requests=fields.take("requests", whole()),
        arrivals=_arrivals(fields),
        prompt=_lengths(fields, "prompt"),
        output=_lengths(fields, "output"),
        correlation=fields.take("correlation", _correlation, 0.0),
        prefix=_prefix(prefix) if prefix else Prefix(),
        name=fields.take("name", str, ""),
        source=fields.take("source", str, ""),
    )
    fields.close()
    if problems:
        raise InputError(problems)
    return synthetic if isinstance(data, str) or not synthetic.name else _own_source(synthetic)


def _own_source(synthetic: Synthetic) -> Synthetic:
    """A catalogue's source covers only what the scenario left as it was."""
    named = parse(synthetic.name)
    parts = ("arrivals", "prompt", "output", "correlation", "prefix")
    changed = [part for part in parts if getattr(synthetic, part) != getattr(named, part)]
    if not changed or synthetic.source != named.source:
        return synthetic
    return replace(synthetic, source=f"{named.source}; the scenario's own: {', '.join(changed)}")


def _with_named(data: Any, where: str) -> Any:
    """`chat` or {name: chat, …} laid over the catalogue's entry of that name."""
    given = {"name": data} if isinstance(data, str) else data
    if not isinstance(given, Mapping) or not given.get("name"):
        return given
    entry = catalog.entry("workloads", str(given["name"]), f"{where}.name")
    known = {name: value for name, value in entry.items() if name not in _TOLD}
    return known | dict(given)


def _arrivals(parent: Fields) -> Arrivals:
    fields = _required(parent, "arrivals")
    kind = fields.one_of("kind", ARRIVALS)
    per_second = number(dimension="1/s", over=True)
    if not kind:
        return Arrivals(kind)
    if kind == "closed_loop":
        think = duration(fields, "think", Duration("constant", 0.0))
        result = Arrivals(kind, concurrency=fields.take("concurrency", whole()), think=think)
    elif kind == "gamma":
        burstiness = fields.take("burstiness", number(over=True))
        result = Arrivals(
            kind, fields.take("rate", per_second), burstiness, fields.take("normalise", flag, False)
        )
    elif kind == "poisson":
        result = Arrivals(
            kind, fields.take("rate", per_second), normalise=fields.take("normalise", flag, False)
        )
    else:
        result = Arrivals(kind, fields.take("rate", per_second))
    fields.close()
    return result


def _required(parent: Fields, name: str) -> Fields:
    child = parent.child(name)
    if child is None:
        parent.fault(name, "missing")
        return Fields({}, f"{parent.where}.{name}", [])
    return child


def _lengths(parent: Fields, name: str) -> Lengths:
    return lengths(_required(parent, name))


def lengths(fields: Fields) -> Lengths:
    """One distribution of tokens; every kind takes min and max, to which draws are clipped."""
    kind = fields.one_of("kind", LENGTHS)
    if not kind:
        return Lengths(kind)
    bounds = {"low": fields.take("min", whole(), 1), "high": fields.take("max", whole(), None)}
    low, high = bounds["low"] or 1, bounds["high"]
    if high is not None and high < low:
        fields.fault("max", f"{high} is under min ({low})")
    result = Lengths(kind, low, high)
    if kind == "constant":
        result = Lengths(kind, low, high, tokens=fields.take("tokens", whole()))
    elif kind == "uniform" and high is None:
        fields.fault("max", "missing")
    elif kind == "lognormal":
        mu, sigma = _lognormal(fields)
        result = Lengths(kind, low, high, mu=mu, sigma=sigma)
    elif kind == "quantiles":
        result = Lengths(kind, low, high, quantiles=fields.take("quantiles", _quantiles))
    elif kind == "empirical":
        result = _empirical(fields, low, high)
    fields.close()
    return result


def _lognormal(fields: Fields) -> tuple[float, float]:
    """mu and sigma of the logarithm, from mean & cv, median & p90, or mu & sigma."""
    given = fields.data.keys()
    if "median" in given:
        median = fields.take("median", number(over=True))
        p90 = fields.take("p90", number(over=True))
        if median is REQUIRED or p90 is REQUIRED:
            return 0.0, 0.0
        if p90 < median:
            fields.fault("p90", f"{p90:g} is under the median ({median:g})")
            return 0.0, 0.0
        return math.log(median), math.log(p90 / median) / _Z90
    if "mu" in given:
        return fields.take("mu", float), fields.take("sigma", number())
    mean, cv = fields.take("mean", number(over=True, dimension="token")), fields.take("cv", number())
    if mean is REQUIRED or cv is REQUIRED:
        return 0.0, 0.0
    variance = math.log1p(cv * cv)
    return math.log(mean) - variance / 2, math.sqrt(variance)


_Z90 = 1.2815515655446004  # the standard normal's 90th percentile


def _quantiles(value: Any) -> tuple[tuple[float, float], ...]:
    """{percent: tokens}, in any order; both must ascend together."""
    if not isinstance(value, Mapping) or len(value) < 2:
        raise ValueError("expected two or more entries, percent: tokens")
    pairs = tuple(sorted((float(percent), float(tokens)) for percent, tokens in value.items()))
    if any(a[0] >= b[0] or a[1] > b[1] for a, b in itertools.pairwise(pairs)):
        raise ValueError("tokens must ascend with percents, which must differ")
    if pairs[0][0] <= 0 or pairs[-1][0] >= 100 or pairs[0][1] < 1:
        raise ValueError(
            "percents must lie between 0 and 100 and tokens be 1 or more; min and max are the ends"
        )
    return pairs


def _empirical(fields: Fields, low: int, high: int | None) -> Lengths:
    given = [name for name in ("values", "file", "trace") if name in fields.data]
    if len(given) != 1:
        fields.fault("", "an empirical distribution needs exactly one source", "values, file, trace")
    nothing: tuple[int, ...] = ()
    values = fields.take("values", _values, nothing) or fields.take("file", _numbers_in, nothing)
    fields.taken.add("file")
    return Lengths("empirical", low, high, values=values, trace=fields.take("trace", str, ""))


def _values(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("expected a list of token counts")
    return tuple(whole()(item) for item in value)


def _numbers_in(value: Any) -> tuple[int, ...]:
    """The token counts of a text file, one a line."""
    path = Path(str(value))
    if not path.is_file():
        raise ValueError(f"no such file: {path}")
    return _values(path.read_text(encoding="utf-8").split())


def _correlation(value: Any) -> float:
    result = float(value)
    if not -1 <= result <= 1:
        raise ValueError(f"{value!r} must lie between -1 and 1")
    return result


def _prefix(fields: Fields) -> Prefix:
    kind = fields.one_of("kind", PREFIXES)
    if kind not in ("shared", "sessions"):
        return Prefix()
    sessions = kind == "sessions"
    tokens = fields.take("tokens", whole(0), 0) if sessions else fields.take("tokens", whole())
    groups, skew = fields.take("groups", whole(), 1), fields.take("skew", number(), 0.0)
    turns = _turns(fields) if sessions else None
    think = duration(fields, "think", Duration("constant", 0.0)) if sessions else None
    fields.close()
    return Prefix(kind, tokens, groups, skew, turns, think)


def _turns(fields: Fields) -> Lengths:
    """A number of turns, or a distribution of it."""
    if isinstance(fields.data.get("turns"), Mapping):
        child = fields.child("turns")
        assert child is not None
        return lengths(child)
    return Lengths("constant", tokens=fields.take("turns", whole()))


def duration(fields: Fields, name: str, default: Duration) -> Duration:
    """`1 s`, or {kind: exponential, mean: 1 s}."""
    seconds = number(dimension="s")
    value = fields.data.get(name)
    if not isinstance(value, Mapping):
        return Duration("constant", fields.take(name, seconds, default.mean))
    child = fields.child(name)
    assert child is not None
    kind = child.one_of("kind", DURATIONS)
    mean = child.take("mean", seconds)
    cv = child.take("cv", number()) if kind == "lognormal" else 0.0
    child.close()
    return Duration(kind, mean, cv)
