"""Charts as data: what is drawn, in which colours, with which table and in what words it was computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

BLUE, ORANGE, GREEN, RED, PURPLE, TEAL, GREY = (
    "#3b7dc4",
    "#c46a16",
    "#2f8f56",
    "#c8473f",
    "#9068d0",
    "#1f8c93",
    "#808892",
)
SCALE = (
    "#00204c",
    "#00316f",
    "#31446b",
    "#4d556b",
    "#666870",
    "#7b7b78",
    "#958f78",
    "#aea373",
    "#cab969",
    "#e6d059",
    "#ffe945",
)
"""Cividis, from little to much: the same with any colour vision (Nuñez, Anderton and Renslow 2018)."""
HEIGHT = 360
LONGEST = 20  # letters of a category
DECADES = 2.2  # of a logarithmic axis: shorter ones have ticks between the powers of ten


@dataclass(frozen=True, slots=True)
class Axis:
    """ticks: where, () for automatic; categories: names at 0, 1, … instead of numbers; padding: free space
    beside the data, as a share of it; ends: from where to where, None for as far as the data go."""

    label: str
    log: bool = False
    ticks: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    padding: float = 0.1
    ends: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """style: line, dashed, dotted, thin; points, hollow, squares, triangles; area (down to `bottom`); bars
    (x: left edges shift by `offset`, `width` wide, from `bottom`) and across, bars to the right (y: where,
    x: how long, from `bottom`); ranges (points with `low` to `high` of x).

    names: a text at each point, shown to the left or right of it if `labelled` says so; hatched: filled with
    stripes. Not a number: a gap."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    style: str
    colour: str
    names: Sequence[str] = ()
    labelled: str = ""
    offset: float = 0.0
    width: float = 0.8
    bottom: Sequence[float] = ()
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    hatched: bool = False


@dataclass(frozen=True, slots=True)
class Cells:
    """Coloured rectangles between edges [columns + 1] and [rows + 1]; values [rows][columns], None: nothing
    there. low, high: what the ends of the colour scale stand for; names: of the rows."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    values: Sequence[Sequence[float | None]]
    low: float
    high: float
    ends: tuple[str, str]
    log: bool = False
    names: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Band:
    """A part of the x axis, lightly coloured."""

    name: str
    first: float
    last: float
    colour: str


@dataclass(frozen=True, slots=True)
class Table:
    """Figures already formatted; the first column names a row. left: columns that hold text; title: over a
    table that has no chart; how: how its figures were computed; folded: shown when asked for."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: tuple[int, ...] = (0,)
    title: str = ""
    how: str = ""
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """key: unique on its page; summary: what the chart shows, for those who cannot see it; table: its
    figures, None if they are in the table of the chart before; how: how it was computed."""

    key: str
    title: str
    summary: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    table: Table | None
    bands: tuple[Band, ...] = ()
    height: int = HEIGHT
    cells: Cells | None = None
    how: str = ""


def brief(name: str) -> str:
    """A category's name that leaves room for the chart on a phone."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}…{name[-(LONGEST // 2 - 1) :]}"


def log_ticks(low: float, high: float) -> tuple[float, ...]:
    """Where a logarithmic axis has labels."""
    least, most = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1.0,) if math.log10(high / low) > DECADES else (1.0, 2.0, 5.0)
    return tuple(float(f"{step}e{power}") for power in range(least, most + 1) for step in steps)
