"""Many outcomes in a few figures: the median error of each set, what could not be done and why."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from simulator.study.measured.figures import METRICS
from simulator.study.measured.rows import WHOLE, Row
from simulator.study.measured.trial import NotDone, Outcome
from simulator.study.measured.validate import Report

THROUGHPUT = "throughput"
HEADLINES = (*METRICS, THROUGHPUT)
PERCENTILES = ("p50", "p90", "p99")


class Pair(NamedTuple):
    """A figure as measured and as simulated, in milliseconds or per second."""

    measured: float
    simulated: float

    @property
    def error(self) -> float:
        return self.simulated / self.measured - 1.0


@dataclass(frozen=True, slots=True)
class Median:
    """Over `count` rows: the median absolute error and its 90th percentile, and the median of simulated over
    measured."""

    count: int
    error: float
    p90: float
    bias: float


@dataclass(frozen=True, slots=True)
class SetSummary:
    """One set. runs, rows: simulated; headlines: by metric, means where there are any, else medians;
    percentiles: by (metric, percentile); verdicts: rows with a verdict on overload, and those that agree;
    client_ms: median of TTFT measured less simulated; over_step: median of TPOT measured over one decode step
    at the measured load; each None where nothing is known."""

    name: str
    runs: int
    rows: int
    headlines: dict[str, Median]
    percentiles: dict[tuple[str, str], Median]
    verdicts: tuple[int, int]
    client_ms: float | None
    over_step: float | None


def headline(outcome: Outcome, metric: str) -> Pair | None:
    """The figure that a metric is judged by: its mean, else its median, else the one point that is known;
    for throughput output tokens, else requests."""
    if outcome.survivors:
        return None
    if metric == THROUGHPUT:
        return pair(outcome, "output_tok_per_s") or pair(outcome, "req_per_s")
    found = (pair(outcome, f"{metric}_{name}_ms") for name in ("mean", "p50", "point"))
    return next((pair for pair in found if pair is not None), None)


def pair(outcome: Outcome, key: str) -> Pair | None:
    measured, simulated = outcome.measured.get(key), outcome.simulated.get(key)
    return Pair(measured, simulated) if measured and simulated is not None else None


def apart(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Rows that are scored: stages apart, so not the whole of a run that has several."""
    found = list(outcomes)
    staged = {outcome.row.run for outcome in found if outcome.row.stage != WHOLE}
    return [o for o in found if o.row.stage != WHOLE or o.row.run not in staged]


def wholes(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """One row a run: the whole, or the only stage."""
    last = {outcome.row.run: outcome for outcome in outcomes}
    return list(last.values())


def median(pairs: Sequence[Pair]) -> Median | None:
    if not pairs:
        return None
    errors = sorted(abs(found.error) for found in pairs)
    tenth = errors[min(len(errors) - 1, round(0.9 * (len(errors) - 1)))]
    bias = statistics.median(found.simulated / found.measured for found in pairs)
    return Median(len(pairs), statistics.median(errors), tenth, bias)


def headlines(outcomes: Sequence[Outcome]) -> dict[str, Median]:
    """The median of each headline over rows; those that no row has are left out."""
    found = {}
    for metric in HEADLINES:
        pairs = [pair for outcome in outcomes if (pair := headline(outcome, metric)) is not None]
        middle = median(pairs)
        if middle is not None:
            found[metric] = middle
    return found


def percentiles(outcomes: Sequence[Outcome]) -> dict[tuple[str, str], Median]:
    found = {}
    for metric in METRICS:
        for name in PERCENTILES:
            key = f"{metric}_{name}_ms"
            scored = [outcome for outcome in outcomes if not outcome.survivors]
            middle = median([p for outcome in scored if (p := pair(outcome, key)) is not None])
            if middle is not None:
                found[metric, name] = middle
    return found


def by_set(report: Report) -> list[SetSummary]:
    names = list(dict.fromkeys(outcome.row.set for outcome in report.outcomes))
    return [_of_set(name, [o for o in report.outcomes if o.row.set == name]) for name in names]


def _of_set(name: str, outcomes: list[Outcome]) -> SetSummary:
    rows = apart(outcomes)
    verdicts = [o.overloaded for o in rows if None not in o.overloaded]
    return SetSummary(
        name,
        len({outcome.row.run for outcome in outcomes}),
        len(rows),
        headlines(rows),
        percentiles(rows),
        (len(verdicts), sum(measured == simulated for measured, simulated in verdicts)),
        _middle([p.measured - p.simulated for o in rows if (p := headline(o, "ttft")) is not None]),
        _middle([ratio for o in rows if (ratio := over_step(o)) is not None]),
    )


def over_step(outcome: Outcome) -> float | None:
    """TPOT as measured over one decode step at the measured load."""
    tpot = headline(outcome, "tpot")
    return None if tpot is None or not outcome.step_ms else tpot.measured / outcome.step_ms


def _middle(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def lacking(report: Report) -> list[tuple[str, str, int]]:
    """(set, what runs lack, how many runs), in the order of the index."""
    counts = Counter((_set(entry), entry.reason) for entry in report.not_done)
    return [(name, reason, count) for (name, reason), count in counts.items()]


def _set(entry: NotDone) -> str:
    first: Row = entry.rows[0]
    return first.set
