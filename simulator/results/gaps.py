"""Runs of decode steps and the gaps between tokens that they stand for: expanded only to be counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.units import GRID_S

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]

_SNAP = 1.5 * 2.0**24
_CHUNK = 1 << 20
_MAX_VALUES = 1 << 22


class Runs(NamedTuple):
    """Consecutive steps of equal batch, a row a run.

    start_s: when the first step starts; steps ≥ 1; decodes: requests that get a token each step;
    context_sum: of the first step; base_s + per_token_s · context is a step's time in seconds, with the
    context of pace_decodes requests that starts at pace_context: the same, but for ranks that keep step.
    """

    start_s: Floats
    steps: Ints
    decodes: Ints
    context_sum: Ints
    base_s: Floats
    per_token_s: Floats
    pace_decodes: Ints
    pace_context: Ints

    def take(self, rows: NDArray[np.bool_] | Ints | slice) -> Runs:
        """The runs at `rows`."""
        return Runs._make(column[rows] for column in self)


def concatenate(parts: list[Runs]) -> Runs:
    """All rows of `parts`, in their order."""
    if not parts:
        none_f, none_i = np.empty(0), np.empty(0, np.int64)
        return Runs(none_f, none_i, none_i, none_i, none_f, none_f, none_i, none_i)
    return Runs._make(np.concatenate(columns) for columns in zip(*parts, strict=True))


def end_s(runs: Runs, j: Ints) -> Floats:
    """When the j-th step (1-based) of each run ends: the engine's own expression, so the same floats."""
    tokens = j * runs.pace_context + runs.pace_decodes * j * (j - 1) // 2
    return runs.start_s + ((j * runs.base_s + runs.per_token_s * tokens + _SNAP) - _SNAP)


@dataclass(frozen=True, slots=True)
class Steps:
    """Runs expanded to a row a step: the run of each step, its number in it (from 1), its start and end."""

    run: Ints
    number: Ints
    start_s: Floats
    end_s: Floats


def expand(runs: Runs) -> Steps:
    """A row a step, in the order of the runs."""
    run = np.repeat(np.arange(len(runs.steps)), runs.steps)
    first = np.cumsum(runs.steps) - runs.steps
    number = np.arange(len(run)) - first[run] + 1
    end = end_s(runs.take(run), number)
    start = np.empty_like(end)
    start[1:] = end[:-1]
    start[first] = runs.start_s
    return Steps(run, number, start, end)


def pieces(steps: Ints, limit: int = _CHUNK) -> Iterator[slice]:
    """Slices of runs whose steps add up to about `limit`, so that an expansion stays small."""
    total = np.cumsum(steps)
    begin = 0
    while begin < len(steps):
        done = int(total[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(total, done + limit, side="right")))
        yield slice(begin, end)
        begin = end


@dataclass(frozen=True, slots=True)
class Weighted:
    """A distribution with whole weights: sorted values in units of 2^shift grid units, samples at each."""

    values: Ints
    weights: Ints
    shift: int

    @property
    def unit(self) -> float:
        """Seconds a unit."""
        return GRID_S * 2.0**self.shift

    @property
    def seconds(self) -> Floats:
        return self.values * self.unit

    def count(self) -> int:
        return int(self.weights.sum())


class Extra(NamedTuple):
    """Gaps that are no single step's, [n]: grid units, how many (less than none takes samples of steps back),
    and the start of the run of steps that each belongs to."""

    units: Ints
    weights: Ints
    start_s: Floats

    def within(self, begin: float, end: float) -> Extra:
        """Those of runs that start in [begin, end)."""
        rows = (self.start_s >= begin) & (self.start_s < end)
        return Extra(self.units[rows], self.weights[rows], self.start_s[rows])


@dataclass(slots=True)
class Counting:
    """Counts samples by value, exact to `unit`; the unit doubles when more than `limit` values differ.

    The unit reached depends on all the samples, never on their order.
    """

    limit: int = _MAX_VALUES
    shift: int = 0
    values: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    weights: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    pending: list[tuple[Ints, Ints]] = field(default_factory=list)
    waiting: int = 0

    def add(self, values: Ints, weights: Ints) -> None:
        """Whole grid units, and how often each occurs."""
        values, weights = _merged(values >> self.shift, weights)
        self.pending.append((values, weights))
        self.waiting += len(values)
        if self.waiting > max(len(self.values), _CHUNK):
            self._merge()

    def result(self) -> Weighted:
        self._merge()
        return Weighted(self.values, self.weights, self.shift)

    def _merge(self) -> None:
        values = np.concatenate([self.values, *(part[0] for part in self.pending)])
        weights = np.concatenate([self.weights, *(part[1] for part in self.pending)])
        merged = len(self.pending) + bool(len(self.values)) <= 1
        self.pending.clear()
        self.waiting = 0
        self.values, self.weights = (values, weights) if merged else _merged(values, weights)
        while len(self.values) > self.limit:
            self._coarsen()

    def _coarsen(self) -> None:
        self.shift += 1
        self.values, self.weights = _merged(self.values >> 1, self.weights)


def _merged(values: Ints, weights: Ints) -> tuple[Ints, Ints]:
    """Equal values put together, in ascending order."""
    if not len(values):
        return values, weights
    values, weights = _sorted(values, weights)
    first = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    return values[first], np.add.reduceat(weights, first)


def _sorted(values: Ints, weights: Ints) -> tuple[Ints, Ints]:
    """By value. Both in one word where they fit, and no weight takes samples back: sorting words takes a
    fifth of an argsort's time.
    """
    bits = int(weights.max()).bit_length()
    if int(weights.min()) < 0 or int(values.max()).bit_length() + bits > 63:
        order = np.argsort(values)
        return values[order], weights[order]
    words = values << bits | weights
    words.sort()
    return words >> bits, words & ((1 << bits) - 1)


def inter_token(runs: Runs, extra: Extra | None = None, limit: int = _MAX_VALUES) -> Weighted:
    """The distribution of inter-token gaps: each step gives one sample per decode, its duration.

    extra: gaps that are no single step's, such as those across a preemption.
    """
    counting = Counting(limit)
    for part in pieces(runs.steps):
        some = runs.take(part)
        steps = expand(some)
        counting.add(
            np.rint((steps.end_s - steps.start_s) / GRID_S).astype(np.int64), some.decodes[steps.run]
        )
    if extra is not None:
        counting.add(extra.units, extra.weights)
    return counting.result()


def combined(parts: Iterable[Weighted], limit: int = _MAX_VALUES) -> Weighted:
    """All samples of several distributions."""
    counting = Counting(limit)
    for part in parts:
        counting.add(part.values << part.shift, part.weights)
    return counting.result()
