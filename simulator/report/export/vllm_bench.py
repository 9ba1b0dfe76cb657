"""The result file of `vllm bench serve`, key for key and in its order, as with --save-detailed and
--percentile-metrics ttft,tpot,itl,e2el --metric-percentiles 90,95,99.

Every request is in it, warm-up included, as that tool counts them. The clock starts at 1970: a simulated run
has no date.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simulator import __version__
from simulator.report.export import lines
from simulator.report.export.carried import Carried
from simulator.report.export.source import FEW, Source, Told
from simulator.report.export.tokens import Tokens, tokens
from simulator.results.atomic import replacing_file
from simulator.results.gaps import Weighted
from simulator.results.record import FINISHED, STATES
from simulator.results.statistics import describe

Floats = NDArray[np.floating[Any]]

PERCENTILES = (90, 95, 99)
CARRIED = {
    "requests": ("prompt_tokens", "emitted", "sent_s", "state", "ttft_s", "e2e_s", "tpot_s"),
    "steps": ("replica", "end_s", "decodes"),
}
USED = ("first_token_s", "decode_start_s", "finish_s", "replica")  # for the gaps; not in the file as such


def write(source: Source, out: Path, told: Told) -> Carried:
    """Writes the file. Without recorded steps its `itls` are empty, and their statistics those of the run."""
    found = tokens(source)
    columns = _Columns(source)
    with replacing_file(out) as new, new.open("wb") as file:
        _object(file, _keys(source, columns, found), told)
    return Carried((out,), CARRIED, _notes(source, columns, found))


def _notes(source: Source, columns: _Columns, found: Tokens | None) -> list[str]:
    notes = []
    if found is None:
        notes.append(
            "itls are empty and max_output_tokens_per_s is null: no steps were recorded (sim run --steps); "
            "the statistics of ITL are those of summary.json, warm-up left out"
        )
    elif unknown := int((columns.done & ~found.known).sum()):
        notes.append(f"itls of {unknown:,} requests are empty: preempted, or left out of steps")
    slo = source.summary["slo"]
    if slo and "itl_s" in slo["bounds"]:
        notes.append("request_goodput knows no bound on ITL")
    return notes


class _Columns:
    """What every key is made from, a value a request; NaN where it did not finish."""

    __slots__ = ("done", "e2e", "emitted", "finish", "prompt", "sent", "state", "ttft")

    def __init__(self, source: Source) -> None:
        self.state = source.state()
        self.done = self.state == FINISHED
        self.prompt, self.emitted, self.sent, self.ttft, self.e2e = (
            source.column("requests", name)
            for name in ("prompt_tokens", "emitted", "sent_s", "ttft_s", "e2e_s")
        )
        self.finish = source.column("requests", "finish_s")[self.done]

    @property
    def tpot(self) -> Floats:
        """Of finished requests; 0 for one-token answers."""
        gaps = np.maximum(self.emitted[self.done] - 1, 1)
        return np.where(self.emitted[self.done] > 1, (self.e2e - self.ttft)[self.done] / gaps, 0.0)


Rows = Callable[[slice], pa.Array]


def _keys(source: Source, columns: _Columns, found: Tokens | None) -> Iterator[tuple[str, Any]]:
    """Every key in the order of the tool's; a value, or a function that makes the texts of some rows."""
    yield from _setup(source).items()
    yield from arrivals(source.scenario, columns.sent).items()
    yield from _totals(source, columns).items()
    zero = lines.texts(np.zeros(1))[0].as_py()
    of_done = columns.done

    def seconds(values: Floats) -> Rows:
        return lambda rows: lines.texts(np.where(of_done[rows], values[rows], 0.0))

    yield "input_lens", lambda rows: lines.texts(columns.prompt[rows])
    yield "output_lens", lambda rows: lines.texts(np.where(of_done[rows], columns.emitted[rows], 0))
    yield "ttfts", seconds(columns.ttft)
    yield "itls", lambda rows: _gaps(found, of_done, rows)
    yield "latencies", seconds(columns.e2e)
    yield "start_times", lambda rows: lines.texts(columns.sent[rows])
    yield "queue_times", lambda rows: pa.repeat(zero, len(of_done[rows]))
    yield "generated_texts", lambda rows: pa.repeat('""', len(of_done[rows]))
    yield "errors", lambda rows: pa.array([_error(state) for state in columns.state[rows].tolist()])
    yield "max_output_tokens_per_s", _peak_tokens(columns, found)
    yield "max_concurrent_requests", peak_concurrency(columns.sent[of_done], columns.finish)
    yield "rtfx", 0.0
    yield from _statistics(source, columns, found)


def _setup(source: Source) -> dict[str, Any]:
    summary, model = source.summary, source.summary["model"]["name"]
    return {
        "date": "19700101-000000",
        "endpoint_type": "openai",
        "backend": "sim",
        "label": summary["scenario"]["name"],
        "model_id": model,
        "tokenizer_id": model,
        "num_prompts": source.rows["requests"],
        "sim_version": __version__,
        "scenario_hash": summary["scenario"]["hash"],
    }


def arrivals(scenario: dict[str, Any], sent: Floats) -> dict[str, Any]:
    """request_rate, burstiness, max_concurrency: as configured; a trace's rate is the one that arrived."""
    workload = scenario["workload"]
    kind = (workload.get("synthetic") or {}).get("arrivals") or {}
    scale = workload.get("rate_scale") or 1.0
    rate: float | str | None = kind.get("rate")
    rate = rate * scale if isinstance(rate, int | float) else offered(sent)
    users = kind.get("concurrency")
    return {
        "request_rate": "inf" if users or rate is None else rate,
        "burstiness": kind.get("burstiness") or 1.0,
        "max_concurrency": users,
    }


def offered(sent: Floats) -> float | None:
    """Requests a second that were sent; None for one instant."""
    known = sent[~np.isnan(sent)]
    span = float(np.ptp(known)) if len(known) else 0.0
    return (len(known) - 1) / span if span else None


def _totals(source: Source, columns: _Columns) -> dict[str, Any]:
    completed = int(columns.done.sum())
    prompts, output = (int(column[columns.done].sum()) for column in (columns.prompt, columns.emitted))
    duration = float(columns.finish.max()) if completed else 0.0

    def rate(amount: int) -> float:
        return amount / duration if duration else 0.0

    return {
        "duration": duration,
        "completed": completed,
        "failed": len(columns.done) - completed,
        "total_input_tokens": prompts,
        "total_output_tokens": output,
        "request_throughput": rate(completed),
        "request_goodput": _goodput(source, columns, rate),
        "output_throughput": rate(output),
        "total_token_throughput": rate(prompts + output),
    }


def _goodput(source: Source, columns: _Columns, rate: Callable[[int], float]) -> float | None:
    slo = source.summary["slo"]
    if slo is None:
        return None
    of_done = {
        "ttft_s": columns.ttft[columns.done],
        "tpot_s": columns.tpot,
        "e2e_s": columns.e2e[columns.done],
    }
    good = np.ones(int(columns.done.sum()), np.bool_)
    for name, values in of_done.items():
        good &= values <= slo["bounds"].get(name, np.inf)
    return rate(int(good.sum()))


def _gaps(found: Tokens | None, done: NDArray[np.bool_], rows: slice) -> pa.Array:
    if found is None:
        return pa.repeat("[]", len(done[rows]))
    return lines.lists(*found.gaps(rows))


def _error(state: int) -> str:
    return '""' if state == FINISHED else json.dumps(STATES[state].replace("_", " "))


def _peak_tokens(columns: _Columns, found: Tokens | None) -> float | None:
    if found is None or not columns.done.any():
        return None
    return float(found.per_second(float(columns.sent[columns.done].min())).max())


def peak_concurrency(start: Floats, end: Floats) -> int:
    """The most half-open intervals [start, end) that overlap."""
    times = np.concatenate([end, start])
    change = np.concatenate([np.full(len(end), -1), np.ones(len(start), np.int64)])
    order = np.argsort(times, kind="stable")  # at one instant ends come first
    return int(np.cumsum(change[order]).max(initial=0))


def _statistics(source: Source, columns: _Columns, found: Tokens | None) -> Iterator[tuple[str, float]]:
    done = columns.done
    several = columns.emitted[done] > 1
    yield from _of("ttft", columns.ttft[done])
    yield from _of("tpot", columns.tpot[several])
    yield from _of("itl", found.distribution() if found is not None else source.summary["metrics"]["itl_s"])
    yield from _of("e2el", columns.e2e[done])


def _of(name: str, values: Floats | Weighted | dict[str, Any]) -> Iterator[tuple[str, float]]:
    """In milliseconds; 0 of nothing, as the tool has it."""
    told = values if isinstance(values, dict) else _described(values)
    for key, statistic in (("mean", "mean"), ("median", "p50"), ("std", "std")):
        yield f"{key}_{name}_ms", 1e3 * (told[statistic] or 0.0)
    for p in PERCENTILES:
        yield f"p{p}_{name}_ms", 1e3 * (told[f"p{p}"] or 0.0)


def _described(values: Floats | Weighted) -> dict[str, float]:
    found = describe(values)
    return found if found["n"] else dict.fromkeys(found, 0.0)


def _object(file: IO[bytes], keys: Iterator[tuple[str, Any]], told: Told) -> None:
    """The JSON object, its lists written as they are made."""
    listed = list(keys)
    lists = [value for _, value in listed if callable(value)]
    total = next(value for key, value in listed if key == "num_prompts")
    done = 0
    for number, (key, value) in enumerate(listed):
        file.write((("{" if number == 0 else ", ") + json.dumps(key) + ": ").encode())
        if not callable(value):
            file.write(json.dumps(value).encode())
            continue
        first = True
        file.write(b"[")
        for begin in range(0, total, FEW):
            first = lines.write(file, value(slice(begin, min(begin + FEW, total))), ", ", first)
            done += min(FEW, total - begin)
            told(done, len(lists) * total)
        file.write(b"]")
    file.write(b"}")
