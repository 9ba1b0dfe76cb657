"""Another workload like a trace: blocks of its sessions, drawn with replacement and laid end to end.

Sessions stand in the order in which they begin; a block is so many consecutive ones, with the time up to the
next block. Within a block order, gaps and sharing stay as they were; what lies between blocks, the slow drift
of the rate above all, is shuffled. A request without a session is a session of its own. What a session has
left to say when the last block is over is cut off, as it is at the end of the trace itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from simulator.errors import InputError, Problem
from simulator.rng import stream
from simulator.units import MAX_TIME_S
from simulator.workload.columns import UNSHARED, Floats, Ids, Longs, Workload, snapped
from simulator.workload.transform import noted

BLOCKS = 50
"""Few, so that each is long and bursts stay whole (72 s of an hour); enough for resamples to differ."""

Places: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Blocks:
    """of_row [n]: each request's block; start_s, duration_s: when each block begins, how long it takes."""

    of_row: Longs
    start_s: Floats
    duration_s: Floats


def bootstrap(load: Workload, seed: int, replication: int) -> Workload:
    """About as many sessions, in as many blocks. Raises InputError if they outlast the time grid."""
    blocks = _blocks(load)
    count = len(blocks.start_s)
    drawn = stream(seed, "bootstrap", replication).integers(count, size=count)
    rows, place = _rows_of(blocks.of_row, drawn)
    block = drawn[place]
    begins = np.concatenate(([0.0], np.cumsum(blocks.duration_s[drawn])))
    arrival = load.arrival_s[rows] - blocks.start_s[block] + begins[place]
    kept = arrival <= begins[-1]
    if begins[-1] >= MAX_TIME_S:
        raise InputError(
            Problem("run.replications", "a resample of the trace is over 97 days long", "a rate_scale")
        )
    order = np.argsort(arrival, kind="stable")
    order = order[kept[order]]
    rows, place, block = rows[order], place[order], block[order]
    copied = replace(load.slice(rows), arrival_s=arrival[order])
    copied = replace(_renewed(copied, place, block), session=_sessions(copied, place))
    left_out = {"cut_off": int((~kept).sum())} if not kept.all() else {}
    return noted(copied, "bootstrap", {"blocks": count, "replication": replication} | left_out)


def sessions(load: Workload) -> int:
    """How many; a request without one is one."""
    member = load.session >= 0
    return len(np.unique(load.session[member])) + int((~member).sum())


def _blocks(load: Workload) -> Blocks:
    begin = _begins(load)
    key = np.where(load.session < 0, -1 - np.arange(len(load)), load.session)
    _, first, session = np.unique(key, return_index=True, return_inverse=True)
    starts = begin[first]
    rank = np.empty(len(starts), np.int64)
    rank[np.lexsort((first, starts))] = np.arange(len(starts))
    count = min(BLOCKS, len(starts))
    of_session = rank * count // len(starts)
    start = np.full(count, np.inf)
    np.minimum.at(start, of_session, starts)
    gap = snapped(np.array([(starts.max() - start[0]) / max(1, len(starts) - 1)]))
    return Blocks(of_session[session], start, np.diff(np.append(start, starts.max() + gap)))


def _begins(load: Workload) -> npt.NDArray[np.float64]:
    """When each request's session began; its own arrival without one."""
    begin = load.arrival_s.copy()
    member = load.session >= 0
    if member.any():
        _, first, back = np.unique(load.session[member], return_index=True, return_inverse=True)
        begin[member] = load.arrival_s[member][first][back]
    return begin


def _rows_of(block: Longs, drawn: Longs) -> tuple[Places, Longs]:
    """The rows of the blocks drawn, one block after another, and the place each was drawn for."""
    by_block = np.argsort(block, kind="stable")
    edges = np.searchsorted(block[by_block], np.arange(len(drawn) + 1))
    parts = [by_block[edges[b] : edges[b + 1]] for b in drawn.tolist()]
    return np.concatenate(parts), np.repeat(np.arange(len(drawn)), [len(part) for part in parts])


def _sessions(load: Workload, place: Longs) -> npt.NDArray[np.int32]:
    """A session drawn twice is two sessions."""
    member = load.session >= 0
    numbers = load.session.astype(np.int32)
    if member.any():
        pairs = place[member] * (int(load.session.max()) + 1) + load.session[member]
        numbers[member] = np.unique(pairs, return_inverse=True)[1]
    return numbers


def _renewed(load: Workload, place: Longs, block: Longs) -> Workload:
    """Copies of a block must not hit each other's private text: ids used in one block only become new ids.

    Ids that blocks share (a system prompt, a passage) stay as they are.
    """
    if not len(load.segment_id):
        return load
    counts = np.diff(load.segment_offset)
    ids = np.concatenate((load.segment_id, load.output_segment))
    places = np.concatenate((np.repeat(place, counts), place))
    blocks = np.concatenate((np.repeat(block, counts), block))
    ids = _new_ids(ids, places, blocks)
    answers = np.where(load.output_segment == 0, np.uint64(0), ids[len(load.segment_id) :])
    return replace(load, segment_id=ids[: len(load.segment_id)], output_segment=answers)


def _new_ids(ids: Ids, places: Longs, blocks: Longs) -> Ids:
    known, code = np.unique(ids, return_inverse=True)
    low, high = np.full(len(known), BLOCKS), np.full(len(known), -1)
    np.minimum.at(low, code, blocks)
    np.maximum.at(high, code, blocks)
    private = (low == high)[code]
    unshared = ids >= UNSHARED
    highest = int(ids[~unshared].max(initial=0)) + 1
    base = np.where(unshared, np.uint64(UNSHARED), np.uint64(highest))
    fresh = base + (places * len(known) + code).astype(np.uint64)
    return np.where(private, fresh, ids)
