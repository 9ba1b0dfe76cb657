"""What an export holds of a run, so that it can say what it leaves out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from simulator.report.export.source import Source


@dataclass(frozen=True, slots=True)
class Carried:
    """files: what was written; columns: of each table those that the files hold; notes: what a reader of them
    should know."""

    files: tuple[Path, ...]
    columns: Mapping[str, Sequence[str]]
    notes: list[str] = field(default_factory=list)


def left_out(source: Source, carried: Carried) -> dict[str, list[str]]:
    """Of each table the columns that are not in the files; the replication, which is chosen, aside."""
    return {
        table: [
            name
            for name in source.names(table)
            if name != "replication" and name not in carried.columns.get(table, ())
        ]
        for table in source.rows
    }
