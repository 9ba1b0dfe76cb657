"""What other simulators predicted for the same runs, as published."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulator.study.measured.summary import pair
from simulator.study.measured.trial import Outcome

NEEDED = ("simulator", "run", "stage", "metric", "abs_pct_error", "table")
# A published metric, and the figure here that is the same.
METRICS = {"e2e_mean": "e2e_mean_ms", "ttft_mean": "ttft_mean_ms", "itl_mean": "tpot_mean_ms"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One simulator on the runs that it and this one did, in per cent: by metric (median error of it, of this
    one, rows). table: which of the published tables."""

    simulator: str
    table: str
    medians: dict[str, tuple[float, float, int]]


def compare(paths: Sequence[str], outcomes: Sequence[Outcome]) -> list[Comparison]:
    """Every simulator in tables of published predictions among files and folders; [] without any."""
    ours = {(outcome.row.run, outcome.row.stage): outcome for outcome in outcomes}
    errors: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = {}
    for row in _rows(paths):
        outcome = ours.get((row["run"], row["stage"]))
        key = METRICS.get(row["metric"])
        found = pair(outcome, key) if outcome is not None and key is not None else None
        if found is None or not row["abs_pct_error"]:
            continue
        both = (float(row["abs_pct_error"]), 100 * abs(found.error))
        errors.setdefault((row["table"], row["simulator"]), {}).setdefault(row["metric"], []).append(both)
    return [
        Comparison(simulator, table, {metric: _medians(pairs) for metric, pairs in metrics.items()})
        for (table, simulator), metrics in sorted(errors.items())
    ]


def _medians(pairs: list[tuple[float, float]]) -> tuple[float, float, int]:
    theirs, own = zip(*pairs, strict=True)
    return statistics.median(theirs), statistics.median(own), len(pairs)


def _rows(paths: Sequence[str]) -> Iterator[dict[str, str]]:
    for path in map(Path, paths):
        for file in sorted(path.glob("*.csv")) if path.is_dir() else [path]:
            with file.open(encoding="utf-8", newline="") as stream:
                reader = csv.DictReader(stream)
                if set(NEEDED) <= set(reader.fieldnames or ()):
                    yield from reader
