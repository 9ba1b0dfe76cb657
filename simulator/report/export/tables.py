"""CSV files, for spreadsheets and tools without Parquet: a row a request, a time bin, a step, a metric."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow.csv import CSVWriter

from simulator.report.export.carried import Carried
from simulator.report.export.source import Source, Told
from simulator.results.atomic import replacing
from simulator.results.statistics import STATISTICS

METRICS = "metrics.csv"


def write(source: Source, out: Path, told: Told) -> Carried:
    """Writes the folder `out`. Lists, such as the segments of prompts, do not fit into a cell."""
    done, total = 0, sum(source.rows.values())
    flat = {table: _flat(source, table) for table in source.rows}
    with replacing(out, "folder of CSV files", METRICS) as new:
        for table, names in flat.items():
            writer = None
            for batch in source.batches(table, names):
                plain = _plain(batch)
                writer = writer or CSVWriter(new / f"{table}.csv", plain.schema)
                writer.write_batch(plain)
                done += len(batch)
                told(done, total)
            if writer is not None:
                writer.close()
        _metrics(source.summary["metrics"], new / METRICS)
    files = tuple(out / f"{name}.csv" for name in (*(t for t in flat if source.rows[t]), "metrics"))
    return Carried(files, flat)


def _flat(source: Source, table: str) -> list[str]:
    """The columns without lists."""
    schema = source.schema(table)
    return [
        field.name for field in schema if not pa.types.is_nested(field.type) and field.name != "replication"
    ]


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Labels as texts."""
    columns = [
        column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _metrics(metrics: dict[str, Any], path: Path) -> None:
    """A row a metric, over all replications: a value, or statistics; low, high: the interval of the mean."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["metric", "unit", "value", "n", *STATISTICS, "low", "high", "refused", "definition"])
        for name, metric in metrics.items():
            interval = metric.get("interval") or {}
            spread = interval if "low" in interval else interval.get("mean") or {}
            numbers = [metric.get(key) for key in ("value", "n", *STATISTICS)]
            ends = [spread.get("low"), spread.get("high")]
            row = [name, metric["unit"], *numbers, *ends, metric.get("refused"), metric["definition"]]
            table.writerow(row)
