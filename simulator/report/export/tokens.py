"""When each token came out: read off the recorded steps.

A request that decodes gets one token from each decode step of its replica, so its tokens after the first are
the ends of the steps between its first token and its end. Where their number is another (it was preempted, or
left out of a step for want of budget), its gaps are not known, and not made up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.report.export.source import Source
from simulator.results.gaps import Counting, Weighted
from simulator.results.record import FINISHED
from simulator.units import GRID_S

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tokens:
    """ends: of each replica's decode steps, s, ascending; of the requests [n]: replica, first token, whether
    the gaps are known, and where they lie among the ends: from `begin` on, before `end`."""

    ends: tuple[Floats, ...]
    replica: Ints
    first_s: Floats
    known: NDArray[np.bool_]
    begin: Ints
    end: Ints

    def gaps(self, rows: slice) -> tuple[Floats, Ints]:
        """The gaps of these requests one after the other, and how many each has."""
        counts = np.where(self.known[rows], self.end[rows] - self.begin[rows], 0)
        out = np.empty(int(counts.sum()))
        at = np.concatenate([[0], np.cumsum(counts)])
        for number, row in enumerate(range(*rows.indices(len(self.known)))):
            if counts[number]:
                ends = self.ends[self.replica[row]][self.begin[row] : self.end[row]]
                out[at[number] : at[number + 1]] = np.diff(ends, prepend=self.first_s[row])
        return out, counts

    def distribution(self) -> Weighted:
        """All gaps that are known."""
        counting = Counting()
        for number in range(len(self.ends)):
            seconds, weights = self.of_replica(number)
            counting.add(_units(seconds), weights)
        return counting.result()

    def of_replica(self, number: int) -> tuple[Floats, Ints]:
        """The gaps known of requests answered there, and how often each occurs."""
        ends = self.ends[number]
        rows = np.flatnonzero(self.known & (self.end > self.begin) & (self.replica == number))
        covered = _cover(self.begin[rows] + 1, self.end[rows], len(ends))
        some = covered > 0
        first = ends[self.begin[rows]] - self.first_s[rows]
        seconds = np.concatenate([np.diff(ends, prepend=0.0)[some], first])
        return seconds, np.concatenate([covered[some], np.ones(len(first), np.int64)])

    def per_second(self, start_s: float) -> Floats:
        """Tokens of the requests known in each second from `start_s` on, the first ones included."""
        firsts = self.first_s[self.known] - start_s
        latest = max([float(ends[-1]) for ends in self.ends if len(ends)], default=0.0)
        seconds = int(max(latest - start_s, float(firsts.max(initial=0.0)))) + 2
        found = np.bincount(firsts.astype(np.int64), minlength=seconds).astype(np.float64)
        for number, ends in enumerate(self.ends):
            rows = np.flatnonzero(self.known & (self.replica == number))
            at = np.clip(ends - start_s, 0, None).astype(np.int64)
            covered = _cover(self.begin[rows], self.end[rows], len(ends))
            found += np.bincount(at, weights=covered, minlength=seconds)
        return found


def tokens(source: Source) -> Tokens | None:
    """None where no steps were recorded."""
    if "steps" not in source.rows:
        return None
    ends = _ends(source)
    replica = source.replica("requests")
    names = ("first_token_s", "decode_start_s", "finish_s")
    first, joined, finish = (source.column("requests", name) for name in names)
    emitted = source.column("requests", "emitted").astype(np.int64)
    begin, end = np.zeros(len(first), np.int64), np.zeros(len(first), np.int64)
    for number, times in enumerate(ends):
        rows = np.flatnonzero((replica == number) & ~np.isnan(first) & ~np.isnan(finish))
        begin[rows] = np.searchsorted(times, np.fmax(first, joined)[rows], side="right")
        end[rows] = np.searchsorted(times, finish[rows], side="right")
    # R113: told when it was taken over, or before; planned ahead, the step that ran then was not its own
    begin += (first <= joined) & (end - begin == emitted)
    known = (source.state() == FINISHED) & (end - begin == emitted - 1)
    return Tokens(ends, replica, first, known, begin, end)


def _ends(source: Source) -> tuple[Floats, ...]:
    replica, end = source.replica("steps"), source.column("steps", "end_s")
    decodes = source.column("steps", "decodes") > 0
    return tuple(end[decodes & (replica == number)] for number in range(len(source.replicas)))


def _units(seconds: Floats) -> Ints:
    return np.asarray(np.rint(seconds / GRID_S), np.int64)


def _cover(begin: Ints, end: Ints, n: int) -> Ints:
    """How many of the ranges [begin, end) each of n places lies in."""
    opened = np.bincount(begin, minlength=n + 1) - np.bincount(end, minlength=n + 1)
    return np.asarray(np.cumsum(opened)[:n], np.int64)
