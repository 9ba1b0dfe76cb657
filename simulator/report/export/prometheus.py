"""Prometheus text with vLLM's metric names, labels and buckets: what its /metrics would say after the run.

Each replica is an engine, numbered from 0. Counters and histograms count the whole run, warm-up included. A
gauge would say nothing at the end of a run: those of queue and KV cache are averages over its time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.report.export.carried import Carried
from simulator.report.export.source import Source, Told
from simulator.report.export.tokens import tokens
from simulator.results.atomic import replacing_file
from simulator.results.record import CANCELLED, FAILED, FINISHED, TIMED_OUT

Floats = NDArray[np.floating[Any]]

# Buckets: vllm/v1/metrics/loggers.py
FIRST_TOKEN = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
TOKEN = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0),
)
REQUEST = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    *(120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
)
ITERATION = (1.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0)

CARRIED = {
    "requests": (
        *(
            "prompt_tokens",
            "output_tokens",
            "state",
            "replica",
            "prefill_replica",
            "queue_s",
            "prefill_s",
            "decode_s",
        ),
        *("e2e_s", "ttft_s", "tpot_s", "emitted", "hit_tokens", "preemptions", "max_tokens"),
    ),
    "timeline": ("replica", "start_s", "width_s", "running", "waiting", "kv_use"),
    "steps": ("replica", "end_s", "decodes", "prefill_tokens"),
}


class Family(NamedTuple):
    """One metric: of each engine (and value of a further label) a number, or samples to be counted."""

    name: str
    kind: str
    help: str
    samples: Mapping[Any, Any]
    buckets: Sequence[float] = ()
    label: str = ""


def write(source: Source, out: Path, told: Told) -> Carried:
    """Writes the file. Without recorded steps it lacks inter-token latencies and tokens of an iteration."""
    with replacing_file(out) as new, new.open("w", encoding="utf-8") as file:
        for family in families(source):
            _write(file, family, source.summary["model"]["name"])
        told(1, 1)
    lacks = "no vllm:inter_token_latency_seconds and vllm:iteration_tokens_total: no steps were recorded"
    notes = ["num_requests_running, num_requests_waiting and kv_cache_usage_perc are averages over the run"]
    return Carried(
        (out,), CARRIED, notes + ([] if "steps" in source.rows else [f"{lacks} (sim run --steps)"])
    )


def families(source: Source) -> Iterator[Family]:
    """All metrics, in vLLM's order."""
    yield from _gauges(source)
    requests = _Requests(source)
    yield from _counters(requests)
    yield from _lengths(requests, source)
    yield from _latencies(requests)
    if "steps" in source.rows:
        yield from _steps(source)


class _Requests:
    """Columns of all requests [n], and of each engine the rows of those that it answered."""

    __slots__ = ("_source", "done", "engines", "prefilled", "state")

    def __init__(self, source: Source) -> None:
        self._source = source
        self.state = source.state()
        engine, before = source.replica("requests"), source.replica("requests", "prefill_replica")
        first = np.where(before < 0, engine, before)
        numbers = range(len(source.replicas))
        self.engines = {number: np.flatnonzero(engine == number) for number in numbers}
        self.prefilled = {number: np.flatnonzero(first == number) for number in numbers}
        self.done = {number: rows[self.state[rows] == FINISHED] for number, rows in self.engines.items()}

    def column(self, name: str) -> NDArray[Any]:
        return self._source.column("requests", name)

    def max_tokens(self) -> NDArray[Any]:
        """Answers are as long as asked for where the workload knows no limit."""
        name = "max_tokens" if "max_tokens" in self._source.names("requests") else "output_tokens"
        return self.column(name)

    def of(self, name: str, rows: Mapping[int, Any] | None = None) -> dict[int, Floats]:
        """A column of each engine's finished requests, or other rows."""
        values = self.column(name)
        return {number: values[own] for number, own in (rows or self.done).items()}

    def sums(self, name: str, rows: Mapping[int, Any] | None = None) -> dict[int, float]:
        return {number: float(values.sum()) for number, values in self.of(name, rows).items()}


def _gauges(source: Source) -> Iterator[Family]:
    replica, width = source.replica("timeline"), source.column("timeline", "width_s")
    names = {
        "running": ("vllm:num_requests_running", "Requests in execution batches; average over the run."),
        "waiting": ("vllm:num_requests_waiting", "Requests waiting to be processed; average over the run."),
        "kv_use": ("vllm:kv_cache_usage_perc", "KV-cache usage, 1 is all of it; average over the run."),
    }
    for column, (name, text) in names.items():
        values = np.nan_to_num(source.column("timeline", column)) * width
        mean = {
            number: float(values[replica == number].sum() / width[replica == number].sum())
            for number in range(len(source.replicas))
        }
        yield Family(name, "gauge", text, mean)


def _counters(requests: _Requests) -> Iterator[Family]:
    prompts = requests.sums("prompt_tokens", requests.prefilled)
    hits = requests.sums("hit_tokens", requests.prefilled)
    yield Family(
        "vllm:prefix_cache_queries", "counter", "Prompt tokens looked up in the prefix cache.", prompts
    )
    yield Family("vllm:prefix_cache_hits", "counter", "Prompt tokens found in the prefix cache.", hits)
    yield Family(
        "vllm:num_preemptions", "counter", "Preemptions.", requests.sums("preemptions", requests.engines)
    )
    taken = {number: _taken(requests, number) for number in requests.engines}
    all_of = {number: prompts[number] + taken[number] for number in taken}
    yield Family("vllm:prompt_tokens", "counter", "Prompt tokens processed.", all_of)
    sources: dict[tuple[int, str], float] = {}
    for number, external in taken.items():
        sources[number, "local_compute"] = prompts[number] - hits[number]
        sources[number, "local_cache_hit"] = hits[number]
        sources[number, "external_kv_transfer"] = external
    text = "Prompt tokens by source."
    yield Family("vllm:prompt_tokens_by_source", "counter", text, sources, label="source")
    cached = {number: hits[number] + taken[number] for number in taken}
    text = "Prompt tokens from this cache or another engine's."
    yield Family("vllm:prompt_tokens_cached", "counter", text, cached)
    emitted = requests.sums("emitted", requests.engines)
    yield Family("vllm:generation_tokens", "counter", "Tokens generated.", emitted)
    text = "Requests that came to an end, by reason."
    yield Family("vllm:request_success", "counter", text, _reasons(requests), label="finished_reason")


def _taken(requests: _Requests, number: int) -> float:
    """Prompt tokens whose KV came to this engine from another."""
    own = np.setdiff1d(requests.engines[number], requests.prefilled[number])
    return float(requests.column("prompt_tokens")[own].sum())


def _reasons(requests: _Requests) -> dict[tuple[int, str], float]:
    """ "stop" where the answer ended before its limit. What was refused never reached an engine."""
    short = requests.column("output_tokens") < requests.max_tokens()
    found: dict[tuple[int, str], float] = {}
    for number, rows in requests.engines.items():
        state, stopped = requests.state[rows], short[rows]
        finished = state == FINISHED
        found[number, "stop"] = float((finished & stopped).sum())
        found[number, "length"] = float((finished & ~stopped).sum())
        found[number, "abort"] = float(np.isin(state, (TIMED_OUT, CANCELLED)).sum())
        found[number, "error"] = float((state == FAILED).sum())
    return found


def _lengths(requests: _Requests, source: Source) -> Iterator[Family]:
    longest = max(pool["engine"]["max_model_len"] for pool in source.scenario["fleet"]["pools"].values())
    buckets = one_two_five(longest)
    prompt, emitted = requests.of("prompt_tokens"), requests.of("emitted")
    limits = requests.max_tokens()
    asked = {number: limits[rows] for number, rows in requests.done.items()}
    hits = requests.of("hit_tokens")
    computed = {number: np.maximum(prompt[number] - hits[number], 0) for number in prompt}
    for name, text, samples in (
        ("vllm:request_prompt_tokens", "Prompt tokens of a request.", prompt),
        ("vllm:request_generation_tokens", "Tokens generated for a request.", emitted),
        ("vllm:request_max_num_generation_tokens", "The most tokens that a request could get.", asked),
        ("vllm:request_params_max_tokens", "max_tokens of a request.", asked),
        ("vllm:request_prefill_kv_computed_tokens", "Prompt tokens computed, cached ones aside.", computed),
    ):
        yield Family(name, "histogram", text, samples, buckets)


def _latencies(requests: _Requests) -> Iterator[Family]:
    e2e, queue = requests.of("e2e_s"), requests.of("queue_s")
    first = requests.of("ttft_s")
    inference = {number: e2e[number] - queue[number] for number in e2e}
    prefill = {number: first[number] - queue[number] for number in e2e}
    decode = {number: e2e[number] - first[number] for number in e2e}
    tpot = {number: values[~np.isnan(values)] for number, values in requests.of("tpot_s").items()}
    text = "Seconds to the first token."
    yield Family("vllm:time_to_first_token_seconds", "histogram", text, first, FIRST_TOKEN)
    text = "Seconds a token after the first, of a request."
    yield Family("vllm:request_time_per_output_token_seconds", "histogram", text, tpot, TOKEN)
    for name, text, samples in (
        ("vllm:e2e_request_latency_seconds", "Seconds from arrival to the last token.", e2e),
        ("vllm:request_queue_time_seconds", "Seconds in the queue.", queue),
        ("vllm:request_inference_time_seconds", "Seconds from the first step to the last token.", inference),
        ("vllm:request_prefill_time_seconds", "Seconds from the first step to the first token.", prefill),
        ("vllm:request_decode_time_seconds", "Seconds from the first token to the last.", decode),
    ):
        yield Family(name, "histogram", text, samples, REQUEST)


def _steps(source: Source) -> Iterator[Family]:
    found = tokens(source)
    assert found is not None
    gaps = {number: found.of_replica(number) for number in range(len(source.replicas))}
    text = "Seconds from one token to the next."
    yield Family("vllm:inter_token_latency_seconds", "histogram", text, gaps, TOKEN)
    replica = source.replica("steps")
    total = source.column("steps", "prefill_tokens") + source.column("steps", "decodes")
    each = {number: total[replica == number] for number in range(len(source.replicas))}
    yield Family("vllm:iteration_tokens_total", "histogram", "Tokens of an engine step.", each, ITERATION)


def one_two_five(most: int) -> list[float]:
    """1, 2, 5, 10, 20, 50 … up to `most`."""
    found: list[float] = []
    ten = 1
    while ten <= most:
        found += [float(digit * ten) for digit in (1, 2, 5) if digit * ten <= most]
        ten *= 10
    return found


def _write(file: IO[str], family: Family, model: str) -> None:
    total = "_total" if family.kind == "counter" else ""
    file.write(f"# HELP {family.name}{total} {family.help}\n# TYPE {family.name}{total} {family.kind}\n")
    for key, value in family.samples.items():
        number, further = key if isinstance(key, tuple) else (key, "")
        labels = f'engine="{number}",model_name="{_escaped(model)}"'
        labels += f',{family.label}="{further}"' if further else ""
        if family.kind == "histogram":
            file.writelines(_histogram(family, labels, value))
        else:
            file.write(f"{family.name}{total}{{{labels}}} {value!r}\n")


def _histogram(family: Family, labels: str, samples: Any) -> Iterator[str]:
    """Cumulative counts by upper bound, then the sum and the count."""
    values, weights = samples if isinstance(samples, tuple) else (samples, None)
    edges = np.array(family.buckets)
    counts = np.bincount(np.searchsorted(edges, values, side="left"), weights, len(edges) + 1)
    for edge, below in zip([*map(str, family.buckets), "+Inf"], np.cumsum(counts), strict=True):
        yield f'{family.name}_bucket{{{labels},le="{edge}"}} {float(below)!r}\n'
    total = float((values * weights).sum() if weights is not None else values.sum())
    yield f"{family.name}_count{{{labels}}} {float(counts.sum())!r}\n"
    yield f"{family.name}_sum{{{labels}}} {total!r}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
