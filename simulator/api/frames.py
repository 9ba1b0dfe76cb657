"""Arrow tables as pandas frames; metrics and changes too. pandas is imported here alone, when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from simulator.results.intervals import INTERVALS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

EXTREMES = ("min", "max", "std")


def frame(table: pa.Table) -> pd.DataFrame:
    """A table as a DataFrame: labels as categories, times as seconds, absent values as NaN."""
    found: pd.DataFrame = table.to_pandas()
    return found


def metrics(summary: dict[str, Any]) -> pd.DataFrame:
    """A row a metric and statistic, by both: value, low, high, n, unit, definition."""
    import pandas as pd

    rows = list(_metrics(summary["metrics"]))
    columns = ["metric", "statistic", "value", "low", "high", "n", "unit", "definition"]
    return pd.DataFrame(rows, columns=columns).set_index(["metric", "statistic"]).sort_index()


def _metrics(found: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for name, entry in found.items():
        interval, told = entry.get("interval") or {}, (entry["unit"], entry["definition"])
        if "value" in entry:
            yield (name, "", entry["value"], *_ends(interval), interval.get("n"), *told)
            continue
        for key in (*INTERVALS, *EXTREMES):
            yield (name, key, entry.get(key), *_ends(interval.get(key)), entry["n"], *told)


def changes(document: dict[str, Any]) -> pd.DataFrame:
    """A row a design, metric and statistic; see Comparison.changes."""
    import pandas as pd

    rows = [row for change in document["changes"] for row in _changes(change)]
    columns = ["design", "metric", "statistic", "before", "after", "difference", "low", "high"]
    columns += ["relative", "relative_low", "relative_high", "wins", "pairs", "shown"]
    return pd.DataFrame(rows, columns=columns).set_index(["design", "metric", "statistic"]).sort_index()


def _changes(change: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for name, entry in change["metrics"].items():
        spread = entry is not None and any(key in entry for key in INTERVALS)
        for key in INTERVALS if spread else ("",):
            yield (change["to"], name, key, *_change(entry[key] if spread else entry))


def _change(found: dict[str, Any] | None) -> tuple[Any, ...]:
    if not found or "a" not in found:
        return (None,) * 11
    wins, a, b = found["wins"], found["a"], found["b"]
    won = (wins["wins"], wins["share"]["n"]) if wins else (None, None)
    relative = (b / a - 1 if a else None, *_ends(found["relative"]))
    return (a, b, b - a, *_ends(found["difference"]), *relative, *won, found["shown"])


def _ends(interval: dict[str, Any] | None) -> tuple[Any, Any]:
    return (interval.get("low"), interval.get("high")) if interval else (None, None)
