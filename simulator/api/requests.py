"""Requests of one's own, from columns of pandas, numpy or Arrow; and those of a scenario, as columns."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simulator import units
from simulator.api import page
from simulator.errors import InputError, Problem, unknown
from simulator.workload.columns import BY_ROW, DTYPES, turns_of, workload
from simulator.workload.columns import Workload as Columns

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

NEEDED = ("arrival_s", "prompt_tokens", "output_tokens")
OPTIONAL = tuple(name for name in BY_ROW if name not in NEEDED)
SEGMENTS = "segments"
LEAST = {"prompt_tokens": 1, "output_tokens": 1, "max_tokens": 1, "session": -1, "turn": -1}
LEAST |= {"priority": -(2**15), "arrival_s": -(2**53)}


class Workload:
    """n requests in order of arrival: who asks for how many tokens, when.

    `columns` has them as numpy arrays [n]: arrival_s (seconds), prompt_tokens, output_tokens, max_tokens,
    session, turn (−1: none), tenant, priority, think_s (NaN: none), and prompts' shared pieces.
    """

    __slots__ = ("columns",)

    def __init__(self, columns: Columns) -> None:
        """columns: as the simulator has them; to make some, use from_columns."""
        self.columns = columns

    @classmethod
    def from_columns(
        cls, table: Any, segments: Sequence[Sequence[tuple[int, int]]] | None = None
    ) -> Workload:
        """A workload from a pandas DataFrame, an Arrow table, or a mapping of arrays [n].

        Needed: arrival_s (seconds on any clock, in any order), prompt_tokens, output_tokens (≥ 1 each).
        Optional: max_tokens, session (whole numbers; −1: none; a session's requests are its turns in order of
        arrival), tenant, priority, think_s (seconds after the session's previous answer; NaN: at arrival_s).
        segments [n]: of each prompt, its pieces as (id, tokens); two prompts share a prefix as far as
        their pieces agree. Raises InputError with every fault of every column.
        """
        given = {str(name): table[name] for name in _names(table)}
        problems = _faults(given)
        columns = {name: _numbers(name, given[name], problems) for name in given if name in BY_ROW}
        if not problems:
            problems += _lengths(columns, segments)
        if problems:
            raise InputError(problems)
        return cls(_assembled(columns, segments))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes it as a trace (Parquet), the same bytes for the same requests; a scenario can name it."""
        from simulator.workload.formats.parquet import write

        target = Path(path)
        write(self.columns, target)
        return target

    @property
    def table(self) -> pa.Table:
        """An Arrow table, a row a request; columns that say nothing are left out."""
        from simulator.workload.formats.parquet import arrow

        return arrow(self.columns)

    @property
    def frame(self) -> pd.DataFrame:
        """The same as a pandas DataFrame."""
        from simulator.api.frames import frame

        return frame(self.table)

    def stats(self) -> dict[str, Any]:
        """Sums, percentiles of lengths (tokens), duration (s), rate (1/s), burstiness."""
        from simulator.workload.stats import describe

        return describe(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def _lines(self) -> list[tuple[str, str]]:
        known = self.stats()
        rate = known["mean_rate_per_s"]
        return [
            ("requests", f"{len(self):,}" + (f", {rate:.3g} a second on average" if rate else "")),
            (
                "prompt tokens",
                f"{known['prompt_tokens_sum']:,}, {self.columns.prompt_tokens.mean():,.0f} on average",
            ),
            (
                "output tokens",
                f"{known['output_tokens_sum']:,}, {self.columns.output_tokens.mean():,.0f} on average",
            ),
        ]

    def __repr__(self) -> str:
        return "<Workload " + "; ".join(f"{name}: {text}" for name, text in self._lines()) + ">"

    def _repr_html_(self) -> str:
        return page.block("Workload", page.table([], self._lines()))


def _names(table: Any) -> list[Any]:
    """Column names of a DataFrame, an Arrow table or a mapping."""
    if isinstance(table, Mapping):
        return list(table)
    return list(getattr(table, "column_names", None) or table.columns)


def _faults(given: Mapping[str, Any]) -> list[Problem]:
    missing = [
        Problem("columns", f"{name} is missing", ", ".join(NEEDED)) for name in NEEDED if name not in given
    ]
    return missing + [unknown("columns", "column", name, BY_ROW) for name in given if name not in BY_ROW]


def _numbers(name: str, values: Any, problems: list[Problem]) -> npt.NDArray[np.float64]:
    """A column [n] as numbers; each fault noted with its first row."""
    try:
        found = _floats(values)
    except (TypeError, ValueError) as error:
        problems.append(Problem(name, f"no column of numbers: {error}"))
        return np.empty(0)
    if found.ndim != 1:
        problems.append(Problem(name, f"{found.ndim} dimensions", "one number a request"))
        return np.empty(0)
    whole, least, most = np.dtype(DTYPES[name]).kind != "f", LEAST.get(name, 0), _most(name)
    wrong = ~np.isfinite(found) & ~(np.isnan(found) & (name == "think_s"))
    wrong |= (found > most) | (found < least) | (whole & (found != np.floor(found)))
    if wrong.any():
        row, others = int(wrong.argmax()), int(wrong.sum()) - 1
        told = f"{found[row]:g} is wrong" + (f", as are {others:,} more" if others else "")
        allowed = f"{'whole numbers' if whole else 'seconds'} from {least} to {most:g}"
        problems.append(Problem(f"{name}, row {row}", told, allowed))
    return found


def _floats(values: Any) -> npt.NDArray[np.float64]:
    """Numbers as they are; points in time as seconds since the first."""
    zoned = "datetime64" in str(getattr(values, "dtype", ""))  # pandas gives those as objects else
    raw = np.asarray(values, "datetime64[ns]") if zoned else np.asarray(values)
    if raw.dtype.kind == "M":
        return np.asarray((raw - raw.min()) / np.timedelta64(1, "s"), np.float64)
    return np.asarray(raw, np.float64)


def _most(name: str) -> float:
    """The largest that fits; whole numbers come as floats, which are exact up to 2⁵³."""
    dtype = np.dtype(DTYPES[name])
    if name == "think_s":
        return units.MAX_TIME_S
    return float(np.iinfo(dtype).max) if dtype.kind == "i" else 2.0**53


def _lengths(columns: Mapping[str, npt.NDArray[Any]], segments: Sequence[Any] | None) -> list[Problem]:
    """Columns that do not go together."""
    rows = {name: len(column) for name, column in columns.items()}
    rows |= {SEGMENTS: len(segments)} if segments is not None else {}
    n = rows["arrival_s"]
    if not n:
        return [Problem("columns", "no requests", "one at least")]
    wrong = [(name, count) for name, count in rows.items() if count != n]
    if wrong:
        return [Problem(name, f"{count:,} rows", f"{n:,}, as arrival_s has") for name, count in wrong]
    return [*_rows(columns), *_pieces(columns["prompt_tokens"], segments or ())]


def _rows(columns: Mapping[str, npt.NDArray[Any]]) -> Iterator[Problem]:
    """Rows whose values do not go together, the first of each kind."""
    output = columns["output_tokens"]
    none, nobody = np.full(len(output), np.nan), np.full(len(output), -1)
    span = float(np.ptp(columns["arrival_s"]))
    if span >= units.MAX_TIME_S:
        yield Problem("arrival_s", f"spans {span / 86400:.0f} days", "seconds, under 97 days of them")
    short = columns.get("max_tokens", output) < output
    if short.any():
        yield Problem(f"max_tokens, row {int(short.argmax())}", "is under output_tokens")
    lonely = ~np.isnan(columns.get("think_s", none)) & (columns.get("session", nobody) < 0)
    if lonely.any():
        yield Problem(f"think_s, row {int(lonely.argmax())}", "has no session", "NaN, or a session")


def _pieces(prompt: npt.NDArray[Any], segments: Sequence[Sequence[tuple[int, int]]]) -> Iterator[Problem]:
    """The first prompt whose pieces are not all of it."""
    for row, pieces in enumerate(segments):
        total = sum(tokens for _, tokens in pieces)
        if pieces and total != prompt[row]:
            yield Problem(f"{SEGMENTS}, row {row}", f"{total} tokens", f"{prompt[row]:g}, the prompt's")
            return


def _assembled(columns: dict[str, npt.NDArray[Any]], segments: Sequence[Any] | None) -> Columns:
    """Sorted (stably), begun at 0, turns numbered."""
    arrival = columns.pop("arrival_s")
    prompt, output = columns.pop("prompt_tokens"), columns.pop("output_tokens")
    typed: dict[str, Any] = {name: column.astype(DTYPES[name]) for name, column in columns.items()}
    if segments is not None:
        typed |= _ragged(segments)
    load = workload(
        arrival - arrival.min(),
        prompt,
        output,
        provenance={"format": "columns", "rows": len(arrival)},
        **typed,
    )
    load = load.slice(np.argsort(load.arrival_s, kind="stable"))
    if "session" in columns and "turn" not in columns:
        load = replace(load, turn=turns_of(load.session).astype(np.int32))
    try:
        load.validate()
    except AssertionError as error:
        raise InputError(Problem("columns", f"no workload (rows in order of arrival): {error}")) from None
    return load


def _ragged(segments: Sequence[Sequence[tuple[int, int]]]) -> dict[str, npt.NDArray[Any]]:
    counts = [len(pieces) for pieces in segments]
    flat = np.array([piece for pieces in segments for piece in pieces], np.int64).reshape(-1, 2)
    return {
        "segment_offset": np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        "segment_id": flat[:, 0].astype(np.uint64),
        "segment_tokens": flat[:, 1].astype(np.int32),
    }
