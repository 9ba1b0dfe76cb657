"""Index rows of measured runs, as they stand in their CSV files."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulator.errors import InputError, Problem

NEEDED = ("run", "set", "model", "accelerator", "layout", "engine", "arrival")
WHOLE = "all"


class Lacks(Exception):
    """A run cannot be simulated: `str` is what is missing, in a few words that are counted."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an index: a run, or one stage of it. where: file and row; folder: what its files are
    relative to."""

    where: str
    folder: Path
    cells: Mapping[str, str]

    def text(self, key: str) -> str:
        return self.cells.get(key) or ""

    def number(self, key: str) -> float | None:
        """The cell as a number; None where it is empty. Raises Lacks for what is none."""
        cell = self.text(key)
        if not cell:
            return None
        try:
            value = float(cell)
        except ValueError:
            raise Lacks(f"a number in {key}") from None
        if not math.isfinite(value):
            raise Lacks(f"a finite number in {key}")
        return value

    def count(self, key: str) -> int | None:
        value = self.number(key)
        return None if value is None else round(value)

    @property
    def run(self) -> str:
        return self.text("run")

    @property
    def set(self) -> str:
        return self.text("set")

    @property
    def stage(self) -> str:
        return self.text("stage") or WHOLE


def read(paths: Sequence[str]) -> list[Row]:
    """All rows of the indexes among files and folders, in order. Raises InputError for a path without any."""
    rows: list[Row] = []
    for path in map(Path, paths):
        found = list(_indexes(path))
        if not found:
            wanted = f"a CSV file with the columns {', '.join(NEEDED)}"
            raise InputError(Problem(str(path), "no index of measured runs here", wanted))
        for file in found:
            rows += _rows(file)
    return rows


def runs(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows of one run together: its stages in order, the whole last."""
    together: dict[str, list[Row]] = {}
    for row in rows:
        together.setdefault(row.run, []).append(row)
    return [sorted(found, key=lambda row: (row.stage == WHOLE, row.stage)) for found in together.values()]


def _indexes(path: Path) -> Iterator[Path]:
    candidates = sorted(path.glob("*.csv")) if path.is_dir() else [path] if path.is_file() else []
    for file in candidates:
        with file.open(encoding="utf-8", newline="") as stream:
            header = next(csv.reader(stream), [])
        if set(NEEDED) <= set(header):
            yield file


def _rows(file: Path) -> Iterator[Row]:
    with file.open(encoding="utf-8", newline="") as stream:
        for number, cells in enumerate(csv.DictReader(stream), 1):
            yield Row(f"{file}:row {number}", file.parent, cells)
