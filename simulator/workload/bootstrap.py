"""Another workload like a trace: windows of time drawn with replacement, with the sessions that begin there.

A session moves as a whole. Within a window order, gaps and sharing stay as they were; what lies between
windows, the slow drift of the rate above all, is shuffled.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from simulator.rng import stream
from simulator.workload.columns import UNSHARED, Ids, Longs, Workload, snapped
from simulator.workload.transform import noted

WINDOWS = 50
"""Long enough to keep bursts and sessions together (72 s of an hour), enough of them to differ."""

Places: TypeAlias = npt.NDArray[np.intp]


def bootstrap(load: Workload, seed: int, replication: int) -> Workload:
    """A resample of the trace's own duration: its number of requests varies, its expected rate stays."""
    begin = _begins(load)
    width = float(begin.max()) / WINDOWS
    if width == 0:
        return load
    window = np.minimum((begin / width).astype(np.int64), WINDOWS - 1)
    drawn = stream(seed, "bootstrap", replication).integers(WINDOWS, size=WINDOWS)
    rows, place = _rows_of(window, drawn)
    arrival = snapped(load.arrival_s[rows] + (place - window[rows]) * width)
    order = np.argsort(arrival, kind="stable")
    rows, place, arrival = rows[order], place[order], arrival[order]
    copied = _renewed(load.slice(rows), place, window[rows])
    copied = replace(copied, arrival_s=arrival - arrival[0], session=_sessions(copied, place))
    return noted(copied, "bootstrap", {"windows": WINDOWS, "seconds": width, "replication": replication})


def _begins(load: Workload) -> npt.NDArray[np.float64]:
    """When each request's session began; its own arrival without one."""
    begin = load.arrival_s.copy()
    member = load.session >= 0
    if member.any():
        _, first, back = np.unique(load.session[member], return_index=True, return_inverse=True)
        begin[member] = load.arrival_s[member][first][back]
    return begin


def _rows_of(window: Longs, drawn: Longs) -> tuple[Places, Longs]:
    """The rows of the windows drawn, one window after another, and the place each window was drawn for."""
    by_window = np.argsort(window, kind="stable")
    edges = np.searchsorted(window[by_window], np.arange(WINDOWS + 1))
    parts = [by_window[edges[w] : edges[w + 1]] for w in drawn.tolist()]
    return np.concatenate(parts), np.repeat(np.arange(WINDOWS), [len(part) for part in parts])


def _sessions(load: Workload, place: Longs) -> npt.NDArray[np.int32]:
    """A session drawn twice is two sessions."""
    member = load.session >= 0
    numbers = load.session.astype(np.int32)
    if member.any():
        pairs = place[member] * (int(load.session.max()) + 1) + load.session[member]
        numbers[member] = np.unique(pairs, return_inverse=True)[1]
    return numbers


def _renewed(load: Workload, place: Longs, window: Longs) -> Workload:
    """Copies of a window must not hit each other's private text: ids used in one window only become new ids.

    Ids that windows share (a system prompt, a passage) stay as they are.
    """
    if not len(load.segment_id):
        return load
    counts = np.diff(load.segment_offset)
    ids = np.concatenate((load.segment_id, load.output_segment))
    places = np.concatenate((np.repeat(place, counts), place))
    windows = np.concatenate((np.repeat(window, counts), window))
    ids = _new_ids(ids, places, windows)
    answers = np.where(load.output_segment == 0, np.uint64(0), ids[len(load.segment_id) :])
    return replace(load, segment_id=ids[: len(load.segment_id)], output_segment=answers)


def _new_ids(ids: Ids, places: Longs, windows: Longs) -> Ids:
    known, code = np.unique(ids, return_inverse=True)
    low, high = np.full(len(known), WINDOWS), np.full(len(known), -1)
    np.minimum.at(low, code, windows)
    np.maximum.at(high, code, windows)
    private = (low == high)[code]
    unshared = ids >= UNSHARED
    highest = int(ids[~unshared].max(initial=0)) + 1
    base = np.where(unshared, np.uint64(UNSHARED), np.uint64(highest))
    fresh = base + (places * len(known) + code).astype(np.uint64)
    return np.where(private, fresh, ids)
