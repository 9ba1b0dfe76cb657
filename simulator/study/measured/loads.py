"""A run's load: its recorded requests, or requests drawn as its row describes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.rng import stream
from simulator.study.measured.records import Records
from simulator.study.measured.rows import WHOLE, Lacks, Row
from simulator.workload.columns import Workload, turns_of, workload

Longs = npt.NDArray[np.int64]

# The load generator starts a stage a second after the last answer of the one before; this is longer than the
# answers of a server that keeps up.
BETWEEN_STAGES_S = 60.0
# How long a stage of this generator lasts whose duration is not recorded: as the shortest that are.
STAGE_S = 600.0
# Of shared-prefix workloads whose row does not repeat it.
GROUPS, PROMPTS_PER_GROUP = 10, 10
# Closed loops whose number of requests is not recorded: so many rounds of all users, but no more requests
# than this unless that is under `FEWEST_ROUNDS`.
ROUNDS, MOST, FEWEST_ROUNDS = 10, 2000, 3
# Benchmarks that send the same prompts again at rate after rate, to one server that keeps its prefix cache:
# the rate that comes first (surajssd/llm-k8s, run_vllm_upstream_benchmark.sh: 1, 4, 16, all at once).
FIRST_RATE = 1.0
# Shapes of the closed-loop benchmarks whose lengths are drawn between 0.8 and 1 of the nominal
# (SemiAnalysisAI/InferenceX, utils/bench_serving/benchmark_serving.py, with its workflow's range ratio).
RANGE = 0.8
RANGED = ((1024, 1024), (1024, 8192), (8192, 1024))


@dataclass(frozen=True, slots=True)
class Load:
    """requests: all stages; stage [n]: which row of the run each request belongs to, −1 for those of an
    earlier run that only fill the prefix cache; drawn: whether another seed gives others; marks: what was
    assumed."""

    requests: Workload
    stage: Longs
    drawn: bool
    marks: tuple[str, ...] = ()


def load(rows: Sequence[Row], recorded: Records | None, seed: int) -> Load:
    """The load of one run, of which `rows` are the stages and the whole. Raises Lacks."""
    if recorded is not None:
        return _after_itself(recorded) if _warm(rows[0]) else _recorded(recorded)
    arrival = rows[0].text("arrival")
    if "held to at most" in arrival:
        raise Lacks("a client that sends by the clock but holds back at a number in flight")
    if arrival.startswith("closed loop"):
        return _closed_loop(rows[0], seed)
    if "shared_prefix" in rows[0].text("length_spec"):
        return _staged([row for row in rows if row.stage != WHOLE] or list(rows), seed)
    if rows[0].number("rate_rps"):
        return _poisson(rows[0], seed)
    raise Lacks("how requests arrived")


def _warm(row: Row) -> bool:
    """Whether its prompts are in the server's prefix cache from an earlier run."""
    repeated = "the same in every run" in row.text("length_spec")
    caching = "enable_prefix_caching" in row.text("engine_args")
    return repeated and caching and row.number("rate_rps") != FIRST_RATE


def _recorded(found: Records) -> Load:
    times, prompt, output = _columns(found)
    return Load(workload(times, prompt, output), np.zeros(len(times), np.int64), False)


def _after_itself(found: Records) -> Load:
    """The recorded requests, after the same ones at FIRST_RATE: each prompt is a segment of its own."""
    times, prompt, output = _columns(found)
    n = len(times)
    earlier = np.arange(n) / FIRST_RATE
    arrivals = np.concatenate([earlier, times + earlier[-1] + BETWEEN_STAGES_S])
    segments = {
        "segment_offset": np.arange(2 * n + 1),
        "segment_id": 1 + np.arange(2 * n) % n,
        "segment_tokens": np.tile(prompt, 2),
    }
    requests = workload(arrivals, np.tile(prompt, 2), np.tile(output, 2), **segments)
    mark = "prompts cached by an earlier run on the same server"
    return Load(requests, np.repeat([-1, 0], n), False, (mark,))


def _columns(found: Records) -> tuple[npt.NDArray[np.float64], Longs, Longs]:
    """Arrivals from 0 on, prompt and output tokens of at least 1."""
    prompt, output = (np.maximum(c, 1).astype(np.int64) for c in (found.prompt_tokens, found.output_tokens))
    return found.arrival_s - min(0.0, float(found.arrival_s[0])), prompt, output


def _staged(stages: Sequence[Row], seed: int) -> Load:
    """Stages one after another on one server. Each spreads its requests over its duration as uniform order
    statistics, which is what rescaled exponential gaps are, and takes the prompts in a shuffled circle."""
    lasting = [row.number("duration_s") or STAGE_S for row in stages]
    counts = [_requests(row, seconds) for row, seconds in zip(stages, lasting)]
    times, start = [], 0.0
    for place, (n, seconds) in enumerate(zip(counts, lasting)):
        rng = stream(seed, "arrivals", place)
        times.append(start + np.sort(rng.uniform(0.0, seconds, n)))
        start += seconds + BETWEEN_STAGES_S
    lengths = np.repeat([_lengths(row) for row in stages], counts, axis=0)
    shared = _cycled(stages[0], lengths[:, 0], seed)
    requests = workload(np.concatenate(times), lengths[:, 0], lengths[:, 1], **shared)
    assumed = any(row.number("duration_s") is None for row in stages)
    marks = (f"stages of {STAGE_S:g} s, their duration is not recorded",) if assumed else ()
    return Load(requests, np.repeat(np.arange(len(stages)), counts), True, marks)


def _requests(row: Row, seconds: float) -> int:
    return row.count("n_requests") or round(_needed(row, "rate_rps") * seconds)


def _cycled(row: Row, prompt: Longs, seed: int) -> dict[str, Any]:
    """Segments of prompts taken in turn from a fixed, shuffled set: a system prompt and a question."""
    groups, each = _sharing(row.text("prefix_sharing"))
    match = re.search(r"system (\d+)", row.text("length_spec"))
    system = int(match[1]) if match else 0
    if not 0 < system < int(prompt.min()):
        raise Lacks("the length of its system prompts")
    order = stream(seed, "prefixes", 0).permutation(groups * each)
    which = order[np.arange(len(prompt)) % len(order)]
    ids = np.stack([1 + which // each, 1 + groups + which], axis=1)
    tokens = np.stack([np.full(len(prompt), system), prompt - system], axis=1)
    return {
        "segment_offset": 2 * np.arange(len(prompt) + 1),
        "segment_id": ids.ravel(),
        "segment_tokens": tokens.ravel(),
    }


def _sharing(text: str) -> tuple[int, int]:
    match = re.search(r"(\d+) system prompts x (\d+) questions", text)
    return (int(match[1]), int(match[2])) if match else (GROUPS, PROMPTS_PER_GROUP)


def _closed_loop(row: Row, seed: int) -> Load:
    users = round(_needed(row, "concurrency"))
    asked = row.number("n_requests") or min(ROUNDS * users, max(MOST, FEWEST_ROUNDS * users))
    n = max(users, round(asked))
    prompt, output = _lengths(row)
    marks: tuple[str, ...] = ()
    lengths = np.full(n, prompt), np.full(n, output)
    if (prompt, output) in RANGED and not row.number("n_requests"):
        rng = stream(seed, "lengths", 0)
        lengths = _ranged(rng, prompt, n), _ranged(rng, output, n)
        marks = (f"lengths drawn between {RANGE:g} and 1 of the nominal",)
    session = np.arange(n) % users
    turn = turns_of(session)
    think = np.where(turn > 0, 0.0, np.nan)
    requests = workload(np.zeros(n), *lengths, session=session, turn=turn, think_s=think)
    return Load(requests, np.zeros(n, np.int64), False, marks)


def _ranged(rng: np.random.Generator, tokens: int, n: int) -> Longs:
    return np.asarray(rng.integers(max(1, int(tokens * RANGE)), tokens + 1, n))


def _poisson(row: Row, seed: int) -> Load:
    n, rate = round(_needed(row, "n_requests")), _needed(row, "rate_rps")
    prompt, output = _lengths(row)
    times = np.cumsum(stream(seed, "arrivals", 0).exponential(1.0 / rate, n))
    return Load(workload(times, np.full(n, prompt), np.full(n, output)), np.zeros(n, np.int64), True)


def _lengths(row: Row) -> tuple[int, int]:
    found = row.number("prompt_tokens_mean"), row.number("output_tokens_mean")
    if found[0] is None or found[1] is None:
        raise Lacks("the lengths of its requests")
    return max(1, round(found[0])), max(1, round(found[1]))


def _needed(row: Row, key: str) -> float:
    value = row.number(key)
    if not value:
        raise Lacks(key)
    return value
