"""What a run is still getting warm for: left out of the metrics, found by MSER-5."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.results import confidence as ci
from simulator.results.confidence import Floats
from simulator.results.gaps import Ints

SERIES = ("ttft_s", "tpot_s")
FEWEST = 10  # requests in a section
CONFIDENCE = 0.95  # with which a change is told


@dataclass(frozen=True, slots=True)
class Warmup:
    """What is left out of the metrics: requests sent before cut_s.

    short: MSER-5 found no trustworthy cut; changing: because latencies keep changing, as tests over the run's
    sections show. Otherwise it is too short to tell.
    """

    method: str
    cut_s: float
    dropped: int
    short: bool
    changing: bool = False


@dataclass(frozen=True, slots=True)
class Course:
    """A replication's requests in the order of sending: sent_s [n]; series: by name, [n], NaN where none;
    life_s: what nine of ten take from sending to the last token.
    """

    sent_s: Floats
    series: dict[str, Floats]
    life_s: float = 0.0


def warm_up(courses: Sequence[Course], given_s: float | None, growing: bool | None) -> Warmup:
    """One cut for all replications; a growing queue never gets warm."""
    if given_s is not None:
        starts = [float(course.sent_s.min(initial=math.inf)) for course in courses]
        cut = min(starts, default=0.0) + given_s if given_s else 0.0
        return Warmup("given", cut, before(courses, cut), False)
    if growing:
        return Warmup("none: the queue grows", 0.0, 0, False)
    found = {name: _mser5(courses, name) for name in SERIES}
    cut = max(cut for cut, _ in found.values())
    short = [name for name, (_, short) in found.items() if short]
    changing = any(_changes(courses, name) for name in short)
    return Warmup("MSER-5", cut, before(courses, cut), bool(short), changing)


def before(courses: Sequence[Course], cut_s: float) -> int:
    """Requests sent before the cut, over all replications."""
    return sum(int(np.searchsorted(course.sent_s, cut_s)) for course in courses)


def _mser5(courses: Sequence[Course], name: str) -> tuple[float, bool]:
    """MSER-5 on the series averaged over replications, request by request, and whether it is short.

    What all replications share, the start from an empty fleet, stays; their own bursts average out. The cut
    is the latest time at which a replication had sent as many requests as are to be left out.
    """
    known, series = _averaged(courses, name)
    if not len(known):  # answers of one token have no TPOT: nothing that could be short
        return 0.0, False
    found = ci.mser5(series)
    if not found.dropped:
        return 0.0, found.short
    row = known[found.dropped]
    return max(float(course.sent_s[row]) for course in courses), found.short


def _averaged(courses: Sequence[Course], name: str) -> tuple[Ints, Floats]:
    """Request by request: which of them are known, and the mean over replications of those."""
    count = min((len(course.sent_s) for course in courses), default=0)
    stacked = np.array([course.series[name][:count] for course in courses]).reshape(len(courses), count)
    known = np.flatnonzero(~np.isnan(stacked).all(axis=0))
    return known, np.nanmean(stacked[:, known], axis=0)


def _changes(courses: Sequence[Course], name: str) -> bool:
    """Whether latencies wander, by sections each longer than a request's life: their means are correlated.

    Shorter ones are correlated in any queue, since neighbours are served together: they would show nothing.
    """
    known, series = _averaged(courses, name)
    spans = [float(course.sent_s[known[-1]] - course.sent_s[known[0]]) for course in courses]
    longest = max(course.life_s for course in courses)
    size = len(series) // ci.MOST_SECTIONS
    if size < FEWEST or min(spans) < ci.MOST_SECTIONS * longest:
        return False
    means = series[: size * ci.MOST_SECTIONS].reshape(ci.MOST_SECTIONS, size).mean(axis=1)
    return ci.correlated(means.tolist(), CONFIDENCE)
