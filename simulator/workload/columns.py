"""Workload: who asks for how many tokens, when, as numpy columns and their invariants."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from simulator.units import MAX_TIME_S, on_grid

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int32]
Shorts: TypeAlias = npt.NDArray[np.int16]
Longs: TypeAlias = npt.NDArray[np.int64]
Ids: TypeAlias = npt.NDArray[np.uint64]

UNSHARED = 1 << 63
"""Ids of segments that no two requests share count up from here; ids that may be shared lie below."""

DTYPES: dict[str, type[np.generic]] = {
    "arrival_s": np.float64,
    "prompt_tokens": np.int32,
    "output_tokens": np.int32,
    "max_tokens": np.int32,
    "session": np.int32,
    "turn": np.int32,
    "tenant": np.int16,
    "priority": np.int16,
    "output_segment": np.uint64,
    "think_s": np.float64,
    "segment_offset": np.int64,
    "segment_id": np.uint64,
    "segment_tokens": np.int32,
}
RAGGED = ("segment_offset", "segment_id", "segment_tokens")
BY_ROW = tuple(name for name in DTYPES if name not in RAGGED)


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """n requests in order of arrival.

    arrival_s [n]: seconds on the time grid, sorted. prompt_tokens, output_tokens, max_tokens [n]: ≥ 1 each.
    session, turn [n]: −1 for none; a session's rows stand in order of their turns. tenant, priority [n].

    segment_offset [n+1], segment_id, segment_tokens: request i's prompt is its segments offset[i] to
    offset[i+1] − 1, the first so many tokens of each. Their tokens sum to prompt_tokens[i], or there are
    none: a prompt shared with nobody. Equal ids mean equal text. output_segment [n]: the id by which later
    prompts hold this answer, 0 for none.

    think_s [n]: NaN: sent at arrival_s; else sent that long after the session's previous turn ended, and
    arrival_s is that of the session's first turn.
    """

    arrival_s: Floats
    prompt_tokens: Ints
    output_tokens: Ints
    max_tokens: Ints
    session: Ints
    turn: Ints
    tenant: Shorts
    priority: Shorts
    segment_offset: Longs
    segment_id: Ids
    segment_tokens: Ints
    output_segment: Ids
    think_s: Floats
    provenance: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.arrival_s)

    def __eq__(self, other: object) -> bool:
        """Equal columns, bit for bit; where they came from does not matter."""
        if not isinstance(other, Workload):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, name), getattr(other, name), equal_nan=name == "think_s")
            for name in DTYPES
        )

    __hash__ = None  # type: ignore[assignment]  # columns are arrays: equal ones must not be hashed apart

    def validate(self) -> None:
        """Raises AssertionError, with the numbers, where an invariant does not hold."""
        _check_columns(self)
        _check_segments(self)
        _check_turns(self)

    def slice(self, rows: slice | npt.NDArray[Any]) -> Workload:
        """The requests that `rows` (a slice, a mask, or row numbers in the order wanted) picks."""
        picked = np.arange(len(self))[rows]
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in BY_ROW}
        offset, places = ragged_take(self.segment_offset, picked)
        columns |= {"segment_id": self.segment_id[places], "segment_tokens": self.segment_tokens[places]}
        if not np.isnan(columns["think_s"]).all():
            columns["think_s"] = opened(columns["think_s"], columns["session"])
        return replace(self, **columns, segment_offset=offset)


def opened(think_s: Floats, session: Ints) -> Floats:
    """think_s, where the first row of each session waits for none: its predecessor may have been left out."""
    first = np.unique(session, return_index=True)[1]
    think = think_s.copy()
    think[first] = np.nan
    return think


def turns_of(session: npt.NDArray[Any]) -> Longs:
    """For each row, how many rows before it are of the same session; −1 where there is none (session < 0)."""
    order = np.argsort(session, kind="stable")
    ordered = session[order]
    turns = np.empty(len(session), np.int64)
    turns[order] = np.arange(len(session)) - np.searchsorted(ordered, ordered)
    return np.where(session < 0, -1, turns)


def ragged_take(offset: Longs, rows: npt.NDArray[np.intp]) -> tuple[Longs, Longs]:
    """Offsets [k+1] of the rows picked from a ragged column, and where their items stood in it."""
    counts = np.diff(offset)[rows]
    taken = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(counts, out=taken[1:])
    places = np.repeat(offset[:-1][rows] - taken[:-1], counts) + np.arange(taken[-1])
    return taken, places


def workload(
    arrival_s: npt.ArrayLike, prompt_tokens: npt.ArrayLike, output_tokens: npt.ArrayLike, **columns: Any
) -> Workload:
    """A Workload from what is known, the rest by default. Arrivals are put on the time grid, not sorted."""
    arrival = np.asarray(arrival_s, np.float64)
    given = {name: value for name, value in columns.items() if value is not None and name != "provenance"}
    unknown = set(given) - set(DTYPES)
    assert not unknown, f"no such columns: {unknown}"
    given |= {"prompt_tokens": prompt_tokens, "output_tokens": output_tokens}
    arrays = _defaults(len(arrival)) | {name: _column(value, name) for name, value in given.items()}
    arrays.setdefault("max_tokens", arrays["output_tokens"])
    return Workload(arrival_s=snapped(arrival), provenance=columns.get("provenance") or {}, **arrays)


def snapped(seconds: Floats) -> Floats:
    """Each time on the grid: on_grid is two additions, and those do the same on an array."""
    return on_grid(seconds)  # type: ignore[arg-type,return-value]  # declared for one float


def _column(value: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    return np.ascontiguousarray(value, DTYPES[name])


def _defaults(n: int) -> dict[str, npt.NDArray[Any]]:
    """Broadcast views for what is the same in every row: they cost no memory."""
    none: dict[str, float] = {
        "session": -1,
        "turn": -1,
        "tenant": 0,
        "priority": 0,
        "output_segment": 0,
        "think_s": np.nan,
    }
    columns: dict[str, npt.NDArray[Any]] = {
        name: np.broadcast_to(np.array(value, DTYPES[name]), n) for name, value in none.items()
    }
    return columns | {
        "segment_offset": np.zeros(n + 1, np.int64),
        "segment_id": np.empty(0, np.uint64),
        "segment_tokens": np.empty(0, np.int32),
    }


def _check_columns(load: Workload) -> None:
    n = len(load)
    for name, dtype in DTYPES.items():
        column = getattr(load, name)
        assert column.dtype == dtype, f"{name} is {column.dtype}, not {np.dtype(dtype)}"
        assert name in RAGGED or len(column) == n, f"{name} has {len(column)} rows, not {n}"
    if not n:
        return
    arrival = load.arrival_s
    assert 0 <= arrival[0] <= arrival[-1] < MAX_TIME_S, f"arrivals from {arrival[0]} to {arrival[-1]} s"
    assert not np.any(np.diff(arrival) < 0), f"arrivals go back at row {np.argmax(np.diff(arrival) < 0) + 1}"
    assert np.array_equal(arrival, snapped(arrival)), "arrivals off the time grid"
    for name in ("prompt_tokens", "output_tokens"):
        assert getattr(load, name).min() >= 1, f"{name} under 1 in row {getattr(load, name).argmin()}"
    assert np.all(load.max_tokens >= load.output_tokens), "max_tokens under output_tokens"


def _check_segments(load: Workload) -> None:
    offset = load.segment_offset
    assert len(offset) == len(load) + 1, f"{len(offset)} offsets for {len(load)} rows"
    assert offset[0] == 0, f"segment offsets begin at {offset[0]}"
    assert not np.any(np.diff(offset) < 0), "segment offsets go back"
    assert offset[-1] == len(load.segment_id) == len(load.segment_tokens), f"{offset[-1]} segments expected"
    if not len(load.segment_id):
        return
    assert load.segment_tokens.min() >= 1, "a segment without tokens"
    total = np.concatenate(([0], np.cumsum(load.segment_tokens, dtype=np.int64)))
    sums = total[offset[1:]] - total[offset[:-1]]
    wrong = (np.diff(offset) > 0) & (sums != load.prompt_tokens)
    row = int(np.argmax(wrong))
    assert not wrong.any(), (
        f"row {row}: segments of {sums[row]} tokens in a prompt of {load.prompt_tokens[row]}"
    )


def _check_turns(load: Workload) -> None:
    assert np.array_equal(load.session < 0, load.turn < 0), (
        "a session without turn, or a turn without session"
    )
    later = ~np.isnan(load.think_s)
    if later.any():
        first = np.unique(load.session, return_index=True)[1]
        assert np.all(load.session[later] >= 0), "think_s without a session"
        assert not later[first].any(), "think_s in the first row of a session"
        assert np.all(load.think_s[later] >= 0), "think_s under zero"
    rows = np.flatnonzero(load.session >= 0)
    order = rows[np.argsort(load.session[rows], kind="stable")]
    same = load.session[order][1:] == load.session[order][:-1]
    steps = np.diff(load.turn[order])
    assert np.all(steps[same] > 0), "a session's turns out of order"
