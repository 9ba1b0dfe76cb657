"""AIPerf's artifacts: profile_export.jsonl, a record a request, and the statistics of them as
profile_export_aiperf.json and .csv.

Every request is in them, warm-up included. Its `inter_token_latency` is our TPOT, its `inter_chunk_latency`
our ITL. Times are nanoseconds from 1970, where the simulated clock starts.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simulator import __version__
from simulator.report.export import lines
from simulator.report.export.carried import Carried
from simulator.report.export.source import FEW, Source, Told
from simulator.report.export.tokens import Tokens, tokens
from simulator.results.atomic import replacing
from simulator.results.gaps import Weighted
from simulator.results.record import CANCELLED, FINISHED, STATES
from simulator.results.statistics import percentile

Floats = NDArray[np.floating[Any]]

RECORDS, SUMMARY, TABLE = "profile_export.jsonl", "profile_export_aiperf.json", "profile_export_aiperf.csv"
PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)
STATISTICS = ("avg", "min", "max", "sum", *(f"p{p}" for p in PERCENTILES), "std")
CARRIED = {
    "requests": (
        *("request", "session", "turn", "prompt_tokens", "emitted", "sent_s", "state"),
        *("finish_s", "ttft_s", "e2e_s", "tpot_s"),
    ),
    "steps": ("replica", "end_s", "decodes"),
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One of AIPerf's: its tag, what its tables call it, its unit, and values, or one value."""

    tag: str
    header: str
    unit: str
    values: Floats | Weighted | float
    scale: float = 1.0

    @property
    def single(self) -> bool:
        return isinstance(self.values, float)


def write(source: Source, out: Path, told: Told) -> Carried:
    """Writes the folder `out`. Without recorded steps it has no inter_chunk_latency."""
    found, columns = tokens(source), _Columns(source)
    metrics = [metric for metric in _metrics(source, columns, found) if _figures(metric)]
    with replacing(out, "folder of AIPerf's artifacts", SUMMARY) as new:
        with new.joinpath(RECORDS).open("wb") as file:
            for begin in range(0, len(columns.state), FEW):
                rows = slice(begin, min(begin + FEW, len(columns.state)))
                lines.write(file, lines.joined(_records(columns, found, rows), "\n"), "", True)
                told(rows.stop, len(columns.state))
        text = json.dumps(_summary(source, columns, metrics), indent=2, ensure_ascii=False)
        new.joinpath(SUMMARY).write_text(text, encoding="utf-8")
        _table(metrics, new / TABLE)
    notes = ["no inter_chunk_latency: no steps were recorded (sim run --steps)"] if found is None else []
    return Carried(tuple(out / name for name in (RECORDS, SUMMARY, TABLE)), CARRIED, notes)


class _Columns:
    """Of every request [n]; NaN for what never happened."""

    __slots__ = (
        "done",
        "e2e",
        "emitted",
        "finish",
        "prompt",
        "sent",
        "session",
        "state",
        "tpot",
        "ttft",
        "turn",
    )

    def __init__(self, source: Source) -> None:
        self.state = source.state()
        self.done = self.state == FINISHED
        self.prompt, self.emitted, self.sent, self.finish, self.ttft, self.e2e, self.tpot = (
            source.column("requests", name)
            for name in ("prompt_tokens", "emitted", "sent_s", "finish_s", "ttft_s", "e2e_s", "tpot_s")
        )
        known = source.names("requests")
        rows = np.arange(len(self.state))
        self.session = source.column("requests", "session") if "session" in known else rows
        self.turn = source.column("requests", "turn") if "turn" in known else np.zeros_like(rows)


def _records(columns: _Columns, found: Tokens | None, rows: slice) -> pa.Array:
    done = columns.done[rows]
    sent = lines.nanoseconds(columns.sent[rows])
    end = np.where(np.isnan(columns.finish[rows]), sent, lines.nanoseconds(columns.finish[rows]))
    cancelled = columns.state[rows] == CANCELLED
    return lines.joined(
        '{"metadata": {"session_num": ', lines.texts(np.arange(rows.start, rows.stop)),
        ', "x_request_id": "', lines.texts(np.arange(rows.start, rows.stop)),
        '", "x_correlation_id": "', lines.texts(columns.session[rows]),
        '", "conversation_id": "', lines.texts(columns.session[rows]),
        '", "turn_index": ', lines.texts(columns.turn[rows]),
        ', "request_start_ns": ', lines.texts(sent),
        ', "request_ack_ns": null, "request_end_ns": ', lines.texts(end),
        ', "worker_id": "sim", "record_processor_id": "sim", "benchmark_phase": "profiling"',
        ', "was_cancelled": ', _either(cancelled, "true", "false"),
        ', "cancellation_time_ns": ', _either(cancelled, lines.texts(end), "null"),
        '}, "metrics": {', _either(done, _values(columns, found, rows), _refused(columns, rows)),
        '}, "error": ', _errors(columns.state[rows]), "}",
    )  # fmt: skip


def _values(columns: _Columns, found: Tokens | None, rows: slice) -> pa.Array:
    """The metrics of each request, as if all had finished."""
    several = columns.emitted[rows] > 1
    tpot = columns.tpot[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        users = 1 / tpot
    parts = [
        _entry("request_latency", columns.e2e[rows] * 1e3, "ms"),
        ", ", _entry("time_to_first_token", columns.ttft[rows] * 1e3, "ms"),
        _either(several, lines.joined(
            ", ", _entry("inter_token_latency", tpot * 1e3, "ms"),
            ", ", _entry("output_token_throughput_per_user", users, "tokens/sec/user"),
        ), ""),
        ", ", _entry("output_sequence_length", columns.emitted[rows], "tokens"),
        ", ", _entry("input_sequence_length", columns.prompt[rows], "tokens"),
    ]  # fmt: skip
    if found is not None:
        parts.append(_chunks(found, rows))
    return lines.joined(*parts)


def _chunks(found: Tokens, rows: slice) -> pa.Array:
    gaps, counts = found.gaps(rows)
    chunks = lines.joined(
        ', "inter_chunk_latency": {"value": ', lines.lists(gaps * 1e3, counts), ', "unit": "ms"}'
    )
    return _either(counts > 0, chunks, "")


def _entry(tag: str, values: NDArray[Any], unit: str) -> pa.Array:
    finite = np.nan_to_num(values, posinf=0.0) if values.dtype.kind == "f" else values
    return lines.joined(f'"{tag}": {{"value": ', lines.texts(finite), f', "unit": "{unit}"}}')


def _refused(columns: _Columns, rows: slice) -> pa.Array:
    return _entry("error_isl", columns.prompt[rows], "tokens")


def _errors(state: NDArray[np.int64]) -> pa.Array:
    texts = [
        "null"
        if number == FINISHED
        else json.dumps({"code": 0, "type": name, "message": name.replace("_", " ")})
        for number, name in enumerate(STATES)
    ]
    return pa.array(texts).take(pa.array(state.tolist(), pa.int64()))


def _either(rows: NDArray[np.bool_], then: Any, otherwise: Any) -> pa.Array:
    return pc.if_else(pa.array(rows.tolist(), pa.bool_()), then, otherwise)


def _metrics(source: Source, columns: _Columns, found: Tokens | None) -> Iterator[Metric]:
    done = columns.done
    finished = int(done.sum())
    tpot = columns.tpot[done & (columns.emitted > 1)]
    begin, end = _span(columns)
    duration = end - begin
    prompts, output = (float(column[done].sum()) for column in (columns.prompt, columns.emitted))

    def rate(amount: float) -> float:
        return amount / duration if duration else 0.0

    yield Metric("time_to_first_token", "Time to First Token", "ms", columns.ttft[done], 1e3)
    yield Metric("request_latency", "Request Latency", "ms", columns.e2e[done], 1e3)
    yield Metric("inter_token_latency", "Inter Token Latency", "ms", tpot, 1e3)
    yield Metric("output_token_throughput_per_user", "Output Token Throughput Per User",
                 "tokens/sec/user", 1 / tpot[tpot > 0])  # fmt: skip
    yield Metric("output_sequence_length", "Output Sequence Length", "tokens", columns.emitted[done])
    yield Metric("input_sequence_length", "Input Sequence Length", "tokens", columns.prompt[done])
    if found is not None:
        yield Metric("inter_chunk_latency", "Inter Chunk Latency", "ms", found.distribution(), 1e3)
    yield Metric("output_token_throughput", "Output Token Throughput", "tokens/sec", rate(output))
    yield Metric("total_token_throughput", "Total Token Throughput", "tokens/sec", rate(prompts + output))
    yield Metric("request_throughput", "Request Throughput", "requests/sec", rate(finished))
    yield Metric("request_count", "Request Count", "requests", float(finished))
    yield Metric("error_request_count", "Error Request Count", "requests", float(len(done) - finished))
    yield Metric("benchmark_duration", "Benchmark Duration", "sec", duration)
    yield Metric("total_isl", "Total Input Sequence Length", "tokens", prompts)
    yield Metric("total_osl", "Total Output Sequence Length", "tokens", output)
    yield Metric("min_request_timestamp", "Minimum Request Timestamp", "ns", begin * 1e9)
    yield Metric("max_response_timestamp", "Maximum Response Timestamp", "ns", end * 1e9)
    yield from _goodput(source, columns, rate)


def _span(columns: _Columns) -> tuple[float, float]:
    """First request, last response of those that finished."""
    if not columns.done.any():
        return 0.0, 0.0
    return float(columns.sent[columns.done].min()), float(columns.finish[columns.done].max())


def _goodput(source: Source, columns: _Columns, rate: Any) -> Iterator[Metric]:
    """As AIPerf counts: who lacks a bounded metric is not good, so a one-token answer misses TPOT."""
    slo = source.summary["slo"]
    if slo is None:
        return
    values = {"ttft_s": columns.ttft, "tpot_s": columns.tpot, "e2e_s": columns.e2e}
    good = columns.done.copy()
    for name, bound in slo["bounds"].items():
        if name in values:
            good &= values[name] <= bound
    yield Metric("good_request_count", "Good Request Count", "requests", float(good.sum()))
    yield Metric("goodput", "Goodput", "requests/sec", rate(float(good.sum())))


def _figures(metric: Metric) -> dict[str, float | int]:
    """The statistics of a metric, in its unit; {} of nothing."""
    values, scale = metric.values, metric.scale
    if isinstance(values, float):
        return {"avg": values}
    weights = values.weights if isinstance(values, Weighted) else np.ones(len(values))
    each = values.seconds if isinstance(values, Weighted) else values
    count = int(weights.sum())
    if not count:
        return {}
    total = float((each * weights).sum())
    points = percentile(values, PERCENTILES)
    spread = float(np.sqrt((weights * (each - total / count) ** 2).sum() / count))
    found = {"avg": total / count, **{f"p{p}": float(x) for p, x in zip(PERCENTILES, points, strict=True)}}
    found |= {"min": float(each.min()), "max": float(each.max()), "std": spread, "sum": total}
    return {key: value * scale for key, value in found.items()} | {"count": count}


def _summary(source: Source, columns: _Columns, metrics: list[Metric]) -> dict[str, Any]:
    begin, end = _span(columns)
    scenario = source.summary["scenario"]
    return {
        "schema_version": "1.4",
        "aiperf_version": f"sim {__version__}",
        "benchmark_id": scenario["hash"],
        **{metric.tag: {"unit": metric.unit, **_figures(metric)} for metric in metrics},
        "was_cancelled": not source.summary["complete"],
        "start_time": _time(begin),
        "end_time": _time(end),
        "metadata": {"model": source.summary["model"]["name"], "variation_label": scenario["name"]},
    }


def _time(seconds: float) -> str:
    """ISO 8601, from 1970 on."""
    return str(np.datetime64(round(seconds * 1e6), "us"))


def _table(metrics: list[Metric], path: Path) -> None:
    """Two sections, as AIPerf's: statistics of requests, then single figures."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Metric", *STATISTICS])
        for metric in sorted((one for one in metrics if not one.single), key=lambda one: one.tag):
            figures = _figures(metric)
            table.writerow([_header(metric), *(_two(figures.get(name)) for name in STATISTICS)])
        table.writerow([])
        table.writerow(["Metric", "Value"])
        for metric in sorted((one for one in metrics if one.single), key=lambda one: one.tag):
            table.writerow([_header(metric), _two(_figures(metric)["avg"])])


def _header(metric: Metric) -> str:
    return metric.header if metric.unit == "requests" else f"{metric.header} ({metric.unit})"


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
