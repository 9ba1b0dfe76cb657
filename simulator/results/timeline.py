"""Time bins: what each replica did, added up as the run goes on, the same whatever the order of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.errors import InputError, Problem
from simulator.results.gaps import Floats, Ints, Runs, end_s, expand, pieces
from simulator.units import GRID_S

# Sums of these are exact in any order: whole multiples of a unit, far below 2**53 of them in a bin.
FLOP_UNIT = 2.0**20
BYTE_UNIT = 2.0**10
BLOCK_SECOND_UNIT = 2.0**-24

_FIRST_WIDTH = 1 << 18
_MAX_BINS = 4096
_MAX_CELLS = 1 << 18
_MOST_CELLS = 1 << 22

BUSY, PREFILL, DECODE, FLOPS, BYTES, BLOCKS, STEPS, STEP_TIME, PREFILL_TOKENS, DECODE_TOKENS = range(10)


@dataclass(frozen=True, slots=True)
class ReplicaFacts:
    """What a replica could do at most: dense FLOP/s and HBM bytes/s of all its accelerators, KV blocks.

    flops_per_s and bytes_per_s are 0 where step times are given and no accelerator stands behind them;
    max_num_seqs and max_num_batched_tokens are the engine's, 0 where they are not known. stages: of its
    pipeline; with more than one steps overlap, and what is busy is told stage by stage.
    """

    name: str
    pool: str
    accelerators: int
    flops_per_s: float
    bytes_per_s: float
    blocks: int
    max_num_seqs: int = 0
    max_num_batched_tokens: int = 0
    stages: int = 1


class Busy(NamedTuple):
    """What a run of steps did besides its times: a row a run."""

    replica: Ints
    prefill_tokens: Ints
    chunks: Ints
    used_blocks_start: Floats
    used_blocks_end: Floats
    flops: Floats
    bytes: Floats


@dataclass(frozen=True, slots=True)
class _Cut:
    """Runs cut at bin edges. row: a piece's run; cell: its replica and bin; left, right: grid units."""

    row: Ints
    cell: Ints
    left: Ints
    right: Ints


@dataclass(frozen=True, slots=True)
class _Spans:
    """What goes on in a span of time, a row a span: whether anybody decodes, whether anybody prefills."""

    decoding: NDArray[np.bool_]
    prefilling: NDArray[np.bool_]
    flops: Floats
    bytes: Floats


class Bins:
    """Accumulates runs into bins of width · 2⁻²⁸ s. Unless given, the width doubles as needed.

    staged [replicas]: whose time comes by `add_stages`, with `add` for all else of their steps.
    """

    __slots__ = ("bins", "end", "fixed", "replicas", "staged", "sums", "width")

    def __init__(self, replicas: int, bin_s: float | None, staged: Sequence[bool] = ()) -> None:
        self.replicas = replicas
        self.staged = np.array(staged or [False] * replicas)
        self.end = 0
        self.fixed = bin_s is not None
        self.width = max(1, round(bin_s / GRID_S)) if bin_s else _FIRST_WIDTH
        self.bins = max(64, min(_MAX_BINS, 1 << (_MAX_CELLS // replicas).bit_length() - 1))
        self.sums = np.zeros((10, replicas, self.bins))

    def add(self, runs: Runs, busy: Busy) -> None:
        if not len(runs.steps):
            return
        start, end = _units(runs.start_s), _units(end_s(runs, runs.steps))
        self._cover(int(end.max()))
        self._add_steps(start, end, runs, busy)
        if self.staged.any():
            alone = ~self.staged[busy.replica]
            start, end, runs = start[alone], end[alone], runs.take(alone)
            busy = Busy._make(column[alone] for column in busy)
        cut = self._cut(start, end, busy.replica)
        self._add_times(cut, start, end, _Spans(runs.decodes > 0, busy.chunks > 0, busy.flops, busy.bytes))
        self._add_blocks(cut, start, end, (busy.used_blocks_start, busy.used_blocks_end))

    def add_stages(self, rows: NDArray[np.float64]) -> None:
        """rows: columns of record.StageRow."""
        replica, decodes, chunks, flops, moved, used = rows[0].astype(np.int64), *rows[3:8]
        start, end, since = _units(rows[1]), _units(rows[2]), _units(rows[8])
        self._cover(int(end.max()))
        cut = self._cut(start, end, replica)
        self._add_times(cut, start, end, _Spans(decodes > 0, chunks > 0, flops, moved))
        last = since < end
        since, end, used = since[last], end[last], used[last]
        self._add_blocks(self._cut(since, end, replica[last]), since, end, (used, used))

    def _cover(self, end: int) -> None:
        self.end = max(self.end, end)
        while end >= self.width * self.bins:
            if self.fixed:
                self._within_bounds(end)
                self.sums = np.concatenate([self.sums, np.zeros_like(self.sums)], axis=2)
                self.bins *= 2
            else:
                self.sums[:, :, : self.bins // 2] = self.sums[:, :, ::2] + self.sums[:, :, 1::2]
                self.sums[:, :, self.bins // 2 :] = 0.0
                self.width *= 2

    def _within_bounds(self, end: int) -> None:
        most = _MOST_CELLS // self.replicas
        if end >= self.width * most:
            width, least = self.width * GRID_S, end * GRID_S / most
            replicas = f"{self.replicas} replica{'s' * (self.replicas > 1)}"
            what = f"{width:.3g} s is too fine for {end * GRID_S:.4g} s of {replicas}"
            raise InputError(Problem("run.bin", what, f"over {least:.2g} s"))

    def _put(self, column: int, cell: Ints, amount: NDArray[np.number]) -> None:
        flat = np.bincount(cell, weights=amount, minlength=self.replicas * self.bins)
        self.sums[column] += flat.reshape(self.replicas, self.bins)

    def _cut(self, start: Ints, end: Ints, replica: Ints) -> _Cut:
        first, last = start // self.width, np.maximum(start // self.width, (end - 1) // self.width)
        row = np.repeat(np.arange(len(start)), last - first + 1)
        begin = np.cumsum(last - first + 1) - (last - first + 1)
        number = np.arange(len(row)) - begin[row] + first[row]
        left = np.maximum(start[row], number * self.width)
        right = np.minimum(end[row], (number + 1) * self.width)
        return _Cut(row, replica[row] * self.bins + number, left, right)

    def _add_times(self, cut: _Cut, start: Ints, end: Ints, spans: _Spans) -> None:
        row, span = cut.row, cut.right - cut.left
        decoding = spans.decoding[row]
        self._put(BUSY, cut.cell, span)
        self._put(PREFILL, cut.cell, span * ~decoding)
        self._put(DECODE, cut.cell, span * (decoding & ~spans.prefilling[row]))
        before, after = _passed(cut, start, end)
        for column, total in ((FLOPS, spans.flops / FLOP_UNIT), (BYTES, spans.bytes / BYTE_UNIT)):
            # Differences of rounded running totals: bins put together are the wider bin to the last bit.
            self._put(column, cut.cell, np.rint(total[row] * after) - np.rint(total[row] * before))

    def _add_blocks(self, cut: _Cut, start: Ints, end: Ints, used: tuple[Floats, Floats]) -> None:
        """used: blocks in use at the start and at the end of each row."""
        row = cut.row
        before, after = _passed(cut, start, end)
        seconds = (end - start)[row] * GRID_S
        first, last = used[0][row], used[1][row]
        spent = _block_seconds(first, last, seconds, after) - _block_seconds(first, last, seconds, before)
        self._put(BLOCKS, cut.cell, spent)

    def _add_steps(self, start: Ints, end: Ints, runs: Runs, busy: Busy) -> None:
        """Steps count in the bin where they end (an end on an edge in the bin before it); only runs that span
        several bins are expanded."""
        last = np.maximum(end - 1, start) // self.width
        whole = start // self.width == last
        cell = busy.replica * self.bins + last
        self._put_steps(cell[whole], runs.steps[whole], (end - start)[whole], runs.decodes[whole])
        self._put(PREFILL_TOKENS, cell, busy.prefill_tokens)
        spread, replica = runs.take(~whole), busy.replica[~whole]
        for part in pieces(spread.steps):
            some = spread.take(part)
            steps = expand(some)
            ends = _units(steps.end_s)
            cells = replica[part][steps.run] * self.bins + (ends - 1) // self.width
            self._put_steps(cells, np.ones_like(ends), ends - _units(steps.start_s), some.decodes[steps.run])

    def _put_steps(self, cell: Ints, steps: Ints, span: Ints, decodes: Ints) -> None:
        self._put(STEPS, cell, steps)
        self._put(STEP_TIME, cell, span)
        self._put(DECODE_TOKENS, cell, steps * decodes)

    def columns(self, replicas: Sequence[ReplicaFacts], end: float) -> dict[str, NDArray[Any]]:
        """The timeline but for running and waiting: a row per replica and bin up to `end` seconds."""
        self._cover(int(_units(np.array([end]))[0]) - 1)
        bins = max(1, -(-round(end / GRID_S) // self.width))
        start = np.arange(bins) * self.width * GRID_S
        width = np.minimum(self.width * GRID_S, max(end, GRID_S) - start)
        sums = self.sums[:, :, :bins]
        with np.errstate(divide="ignore", invalid="ignore"):
            return {
                "replica": np.repeat(np.arange(self.replicas), bins),
                "start_s": np.tile(start, self.replicas),
                "width_s": np.tile(width, self.replicas),
                **{name: value.ravel() for name, value in _shares(sums, width, replicas).items()},
            }


def _shares(sums: Floats, width: Floats, replicas: Sequence[ReplicaFacts]) -> dict[str, NDArray[Any]]:
    """From sums [10, replicas, bins] to the columns of the timeline, each [replicas, bins]."""
    flops, bandwidth, blocks, stages = (
        np.array([[getattr(replica, name)] for replica in replicas], dtype=np.float64)
        for name in ("flops_per_s", "bytes_per_s", "blocks", "stages")
    )
    busy_s = sums[BUSY] * GRID_S / stages
    return {
        "kv_use": sums[BLOCKS] * BLOCK_SECOND_UNIT / (blocks * width),
        "steps": sums[STEPS].astype(np.int64),
        "busy": busy_s / width,
        "step_s": sums[STEP_TIME] * GRID_S / sums[STEPS],
        "mfu": sums[FLOPS] * FLOP_UNIT / (flops * width),
        "mbu": sums[BYTES] * BYTE_UNIT / (bandwidth * width),
        "prefill_share": sums[PREFILL] / sums[BUSY],
        "decode_share": sums[DECODE] / sums[BUSY],
        "mixed_share": (sums[BUSY] - sums[PREFILL] - sums[DECODE]) / sums[BUSY],
        "prefill_tokens": sums[PREFILL_TOKENS].astype(np.int64),
        "decode_tokens": sums[DECODE_TOKENS].astype(np.int64),
        "flops": sums[FLOPS] * FLOP_UNIT,
        "bytes": sums[BYTES] * BYTE_UNIT,
    }


def _passed(cut: _Cut, start: Ints, end: Ints) -> tuple[Floats, Floats]:
    """The share of its row that is over when each piece begins, and when it ends."""
    row = cut.row
    length = np.maximum(end - start, 1)[row]
    before = (cut.left - start[row]) / length
    return before, np.where(cut.right == end[row], 1.0, (cut.right - start[row]) / length)


def _units(seconds: Floats) -> Ints:
    return np.asarray(np.rint(seconds / GRID_S), np.int64)


def _block_seconds(first: Floats, last: Floats, seconds: Floats, share: Floats) -> Floats:
    """Block-seconds used in the first `share` of a run whose use goes in a line from `first` to `last`."""
    spent = seconds * share * (first + (last - first) * share / 2.0)
    return np.asarray(np.rint(spent / BLOCK_SECOND_UNIT))


def occupancy(begin: Floats, end: Floats, replica: Ints, edges: tuple[int, Floats, Floats]) -> Floats:
    """Time-average number of intervals [begin, end) open in each bin, replica by replica, flat.

    edges: number of replicas, start and width of the bins in seconds. Intervals with a NaN or
    no replica don't count.
    """
    replicas, start, width = edges
    known = (replica >= 0) & ~np.isnan(begin) & ~np.isnan(end)
    opened = _from_edge(begin[known], replica[known], replicas, start, width)
    closed = _from_edge(end[known], replica[known], replicas, start, width)
    return np.asarray(((opened - closed) / width).ravel())


def _from_edge(times: Floats, replica: Ints, replicas: int, start: Floats, width: Floats) -> Floats:
    """Seconds of each bin that lie after each time, summed over times: [replicas, bins]."""
    bins = len(start)
    step = width[0]
    number = np.clip((times // step).astype(np.int64), 0, bins - 1)
    cell = replica * bins + number
    left = np.maximum(start[number] + width[number] - times, 0.0)
    partial = np.bincount(cell, weights=left, minlength=replicas * bins).reshape(replicas, bins)
    count = np.bincount(cell, minlength=replicas * bins).reshape(replicas, bins)
    earlier = np.cumsum(count, axis=1) - count
    return np.asarray(earlier * width + partial)
