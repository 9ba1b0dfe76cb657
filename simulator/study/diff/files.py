"""Measured runs from the files of benchmark tools: of `vllm bench serve`, of AIPerf, or CSV."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simulator.errors import InputError, Problem
from simulator.results.folder import within
from simulator.study.diff.side import Floats, Side

FORMATS = (
    "a run folder, a result of `vllm bench serve --save-detailed` (.json), AIPerf's profile_export.jsonl or "
    "its folder, or CSV (.csv, .csv.gz) with arrival_s, prompt_tokens, output_tokens, ttft_s, e2e_s"
)
RECORDS = "profile_export.jsonl"
NEEDED = ("arrival_s", "prompt_tokens", "output_tokens")
PERCENTILES = {"p50": 50, "p90": 90, "p95": 95, "p99": 99}


def measured(path: Path) -> Side:
    """Raises InputError if there is no such file, or if it is in none of FORMATS."""
    file = path / RECORDS if path.is_dir() else path
    if not file.is_file():
        raise InputError(Problem(str(path), "no run and no measured run here", FORMATS, within(path)))
    data = file.read_bytes()
    try:
        return _reader(file)(path, gzip.decompress(data) if file.suffix == ".gz" else data)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else f"cannot be read: {error}"
        raise InputError(Problem(str(file), what, FORMATS)) from None


def _reader(file: Path) -> Callable[[Path, bytes], Side]:
    name = file.name.removesuffix(".gz")
    readers = {".json": _vllm_bench, ".jsonl": _lines, ".csv": _csv}
    found = readers.get(Path(name).suffix)
    if found is None:
        raise InputError(Problem(str(file), "is in no format that is known", FORMATS))
    return found


def _vllm_bench(path: Path, data: bytes) -> Side:
    """Lists as --save-detailed keeps them; older files lack start_times and latencies."""
    result: dict[str, Any] = json.loads(data)
    ttft, outputs = _numbers(result["ttfts"]), _numbers(result["output_lens"])
    gaps: list[list[float]] = result.get("itls") or [[] for _ in ttft]
    told = any(gaps)
    e2e = (
        _numbers(result["latencies"])
        if "latencies" in result
        else ttft + _numbers([sum(own) for own in gaps])
    )
    if "latencies" not in result and not told:
        raise ValueError("it has neither latencies nor itls")
    failed = result.get("errors") or [""] * len(ttft)
    done = np.array([not error for error in failed]) & (outputs > 0)
    start = _numbers(result["start_times"]) if "start_times" in result else np.full(len(ttft), np.nan)
    every = np.array([gap for own, good in zip(gaps, done, strict=True) if good for gap in own])
    return _side(path.name, start - np.nanmin(start) if "start_times" in result else start,
                 (_numbers(result["input_lens"]), outputs, ttft, e2e), done, every)  # fmt: skip


def _lines(path: Path, data: bytes) -> Side:
    """AIPerf's records, those of its profiling phase; its latencies are in the unit that each names."""
    records = [json.loads(line) for line in data.splitlines() if line.strip()]
    records = [one for one in records if one["metadata"].get("benchmark_phase", "profiling") == "profiling"]
    records.sort(key=lambda one: one["metadata"]["request_start_ns"])
    done = np.array([not one.get("error") for one in records], np.bool_)
    start = _numbers([one["metadata"]["request_start_ns"] for one in records]) / 1e9

    def column(tag: str) -> Floats:
        return _numbers([_metric(one, tag) for one in records])

    gaps = [gap for one in records for gap in _chunks(one)]
    columns = (column("input_sequence_length"), column("output_sequence_length"),
               column("time_to_first_token"), column("request_latency"))  # fmt: skip
    return _side(path.name, start - start.min(initial=np.inf), columns, done, np.array(gaps))


_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "sec": 1.0, "s": 1.0, "tokens": 1.0}


def _metric(record: dict[str, Any], tag: str) -> float:
    entry = (record.get("metrics") or {}).get(tag)
    return float("nan") if entry is None else float(entry["value"]) * _UNITS[entry["unit"]]


def _chunks(record: dict[str, Any]) -> list[float]:
    entry = (record.get("metrics") or {}).get("inter_chunk_latency")
    return [] if entry is None else [float(gap) * _UNITS[entry["unit"]] for gap in entry["value"]]


def _csv(path: Path, data: bytes) -> Side:
    """A row a request: arrival since the first one's, latencies since its own, s; empty: not known."""
    header, *rows = csv.reader(data.decode("utf-8").splitlines())
    missing = [name for name in (*NEEDED, "ttft_s", "e2e_s") if name not in header]
    if missing:
        raise ValueError(f"no column {' and '.join(missing)}")
    table = {name: _numbers([row[place] or np.nan for row in rows]) for place, name in enumerate(header)
             if name in {*NEEDED, "ttft_s", "e2e_s", "queued_s"}}  # fmt: skip
    order = np.argsort(table["arrival_s"], kind="stable")
    table = {name: values[order] for name, values in table.items()}
    lag = table["queued_s"] - table["arrival_s"] if "queued_s" in table else 0.0
    ttft, e2e = table["ttft_s"] + lag, table["e2e_s"] + lag
    columns = (table["prompt_tokens"], table["output_tokens"], ttft, e2e)
    return _side(path.name, table["arrival_s"], columns, ~np.isnan(e2e), np.array([]))


def _side(name: str, arrival: Floats, columns: tuple[Floats, ...], done: Any, gaps: Floats) -> Side:
    """columns: prompt and output tokens, TTFT and E2E in seconds."""
    prompt, output, ttft, e2e = columns
    with np.errstate(divide="ignore", invalid="ignore"):
        tpot = np.where(done & (output > 1), (e2e - ttft) / np.where(output > 1, output - 1, np.nan), np.nan)
    known = {key: np.where(done, values, np.nan) for key, values in (("ttft_s", ttft), ("e2e_s", e2e))}
    itl = {"mean": float(gaps.mean()), **_points(gaps)} if len(gaps) else {}
    return Side(name, arrival, prompt, output, known | {"tpot_s": tpot}, done, itl=itl)


def _points(values: Floats) -> dict[str, float]:
    return {
        name: float(point)
        for name, point in zip(PERCENTILES, np.percentile(values, list(PERCENTILES.values())))
    }


def _numbers(values: Sequence[Any]) -> Floats:
    return np.array(values, np.float64)
