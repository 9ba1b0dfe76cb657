"""A synthetic workload from its spec: every draw by request index, from streams that know no design."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from simulator.rng import stream
from simulator.workload.arrivals import arrival_times
from simulator.workload.columns import Floats, Ints, Longs, Workload, turns_of, workload
from simulator.workload.lengths import correlated, durations, mean_of, no_trace, token_counts
from simulator.workload.prefixes import Talk, groups_of, session_columns, shared_columns, talk_of
from simulator.workload.spec import Duration, Synthetic

TraceLengths: TypeAlias = Callable[[str], tuple[Longs, Longs]]
"""Prompt and output tokens of the trace at a path."""
Streams: TypeAlias = Callable[[str, int], np.random.Generator]
"""The random stream of a name and a number, for one seed and replication."""
Columns: TypeAlias = dict[str, npt.NDArray[Any]]


def generate(spec: Synthetic, seed: int, replication: int, read: TraceLengths) -> Workload:
    """`spec.requests` requests. Raises InputError if a trace that lengths come from cannot be read."""

    def streams(name: str, key: int) -> np.random.Generator:
        return stream(seed, name, replication, key)

    prompt, output, clipped = _tokens(spec, streams, read)
    talk = _talk(spec, streams)
    columns = _timing(spec, talk, streams) | _prompts(spec, talk, prompt, output, streams)
    record = _provenance(spec) | {"seed": seed, "replication": replication, "clipped": clipped}
    load = workload(output_tokens=output, provenance=record, **columns)
    order = np.argsort(load.arrival_s, kind="stable")
    return load if np.array_equal(order, np.arange(len(order))) else load.slice(order)


def _provenance(spec: Synthetic) -> dict[str, Any]:
    source = spec.source or "the scenario's own parameters"
    return {"format": "synthetic", "source": source, "parameters": _told(asdict(spec))}


def _told(value: Any) -> Any:
    """Parameters without those that were not given, and of files the name only: a record of what counts."""
    if isinstance(value, dict):
        given = {name: item for name, item in value.items() if item not in (None, (), "", 0, False)}
        paths = {name: Path(given[name]).name for name in ("trace",) if name in given}
        return {name: _told(item) for name, item in (given | paths).items()}
    return list(value) if isinstance(value, tuple) else value


def _tokens(spec: Synthetic, streams: Streams, read: TraceLengths) -> tuple[Ints, Ints, dict[str, int]]:
    """Question and answer tokens [n]; how many of each were clipped to their bounds."""
    normal = streams("lengths", 0).standard_normal(spec.requests)
    other = correlated(normal, streams("lengths", 1).standard_normal(spec.requests), spec.correlation)
    prompt, low = token_counts(spec.prompt, normal, lambda path: read(path)[0])
    output, high = token_counts(spec.output, other, lambda path: read(path)[1])
    return prompt, output, {"prompt_tokens": low, "output_tokens": high}


def _talk(spec: Synthetic, streams: Streams) -> Talk:
    """Conversations of the turns asked for; without sessions each request is one."""
    n = spec.requests
    if spec.prefix.turns is None:
        return Talk(np.arange(n), np.zeros(n, np.int64))
    turns, _ = token_counts(spec.prefix.turns, streams("prefixes", 1).standard_normal(n), no_trace)
    return talk_of(turns, n)


def _timing(spec: Synthetic, talk: Talk, streams: Streams) -> Columns:
    if spec.arrivals.kind == "closed_loop":
        return _closed_loop(spec, talk, streams)
    rng, turns = streams("arrivals", 0), spec.prefix.turns
    if turns is None:
        return {"arrival_s": arrival_times(spec.arrivals, spec.requests, spec.arrivals.rate, rng)}
    starts = int(talk.conversation[-1]) + 1
    begin = arrival_times(spec.arrivals, starts, spec.arrivals.rate / mean_of(turns), rng)
    think = _pauses(spec.prefix.think, spec.requests, streams("client", 0))
    think[talk.turn == 0] = np.nan
    when = begin[talk.conversation]
    return {"arrival_s": when, "session": talk.conversation, "turn": talk.turn, "think_s": think}


def _closed_loop(spec: Synthetic, talk: Talk, streams: Streams) -> Columns:
    """All users begin at 0; conversation c is had by user c mod concurrency, one after another."""
    n, users = spec.requests, spec.arrivals.concurrency
    session = talk.conversation % users
    turn = turns_of(session)
    think = _pauses(spec.arrivals.think, n, streams("client", 1))
    if spec.prefix.think is not None:
        within = _pauses(spec.prefix.think, n, streams("client", 0))
        think = np.where(talk.turn > 0, within, think)
    think[turn == 0] = np.nan
    return {"arrival_s": np.zeros(n), "session": session, "turn": turn, "think_s": think}


def _pauses(duration: Duration | None, n: int, rng: np.random.Generator) -> Floats:
    assert duration is not None, "sessions and closed loops have think times"
    return durations(duration, n, rng)


def _prompts(spec: Synthetic, talk: Talk, prompt: Ints, output: Ints, streams: Streams) -> Columns:
    if spec.prefix.kind == "none":
        return {"prompt_tokens": prompt}
    group = groups_of(spec.prefix, spec.requests, streams("prefixes", 0))[talk.conversation]
    if spec.prefix.kind == "shared":
        return shared_columns(spec.prefix, prompt, group)
    return session_columns(spec.prefix, talk, prompt, output, group)
