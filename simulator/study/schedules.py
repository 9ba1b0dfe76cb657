"""Recorded schedules of a real engine, replayed through the scheduler alone and compared step by step."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.engine.batch import Batch
from simulator.engine.complete import complete, loaded, sent
from simulator.engine.planners.vllm_v1 import plan
from simulator.engine.request import Request
from simulator.engine.step import Step
from simulator.errors import InputError, Problem
from simulator.plugins import find
from simulator.scenario.resolved import EngineArgs

FORMAT = 1
COMPARED = (
    "arrived", "scheduled", "new", "resumed", "preempted", "hits", "load_started", "load_tokens",
    "free_after_schedule",
    "tokens", "finished", "load_done", "send_done", "free_blocks", "running", "waiting",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """One case: `difference` is empty when all steps are identical; `from_totals`: steps that totals
    answered.
    """

    name: str
    steps: int
    difference: str
    from_totals: int


@dataclass(frozen=True, slots=True)
class Share:
    """Cases of one kind: how many, their steps, and how many of these totals answered."""

    kind: str
    cases: int
    steps: int
    from_totals: int


def by_kind(verdicts: list[Verdict]) -> list[Share]:
    """Cases put together: those drawn at random by their kind, those with a name of their own, and all."""
    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        drawn = re.fullmatch(r"random-(.+)-\d+", verdict.name)
        groups.setdefault(drawn[1] if drawn else "named", []).append(verdict)
    groups = dict(sorted(groups.items())) | {"all": verdicts}
    return [
        Share(kind, len(group), sum(v.steps for v in group), sum(v.from_totals for v in group))
        for kind, group in groups.items()
    ]


def table(shares: list[Share]) -> str:
    """The shares of steps from totals as a Markdown table."""
    rows = [
        f"| {share.kind} | {share.cases} | {share.steps:,} | {share.from_totals / max(share.steps, 1):.1%} |"
        for share in shares
    ]
    return "\n".join(["| kind | cases | steps | from totals |", "| --- | --- | --- | --- |", *rows])


def cases(paths: list[str]) -> Iterator[Path]:
    """The recorded schedules among files and folders, in order of name. Raises InputError for a path
    without any.
    """
    for path in map(Path, paths):
        if path.is_dir():
            found = sorted([*path.glob("*.json"), *path.glob("*.json.gz")])
            found = [file for file in found if file.name != "index.json"]
        else:
            found = [path] if path.is_file() else []
        if not found:
            raise InputError(Problem(str(path), "no recorded schedules here", "*.json or *.json.gz files"))
        yield from found


def load(path: Path) -> dict[str, Any]:
    """One recorded case. Raises InputError when it is not one."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        case: dict[str, Any] = json.loads(data)
    except (OSError, ValueError) as error:
        raise InputError(Problem(str(path), f"cannot be read: {error}")) from error
    missing = [
        key for key in ("config", "requests", "steps") if not isinstance(case, dict) or key not in case
    ]
    if missing:
        raise InputError(Problem(str(path), f"not a recorded schedule: no {', '.join(missing)}"))
    if case.get("format") != FORMAT:
        raise InputError(
            Problem(str(path), f"format {case.get('format')!r} of recorded schedules", f"format {FORMAT}")
        )
    return case


def validate(path: Path, exact: bool = False) -> Verdict:
    """Replay one case; exact: without the totals."""
    case = load(path)
    replay = Replay(case, exact)
    name = case.get("name") or path.name
    for expected in case["steps"]:
        got = replay.step()
        for key in COMPARED:
            if got.get(key) != _plain(expected.get(key)):
                what = _difference(key, got.get(key), _plain(expected.get(key)))
                return Verdict(
                    name, len(case["steps"]), f"step {expected['step']}: {what}", replay.from_totals
                )
    if replay.busy() and case["summary"].get("completed", True):
        return Verdict(
            name, len(case["steps"]), "requests are left after the last recorded step", replay.from_totals
        )
    return Verdict(name, len(case["steps"]), "", replay.from_totals)


def _plain(value: Any) -> Any:
    return value if value not in ([], {}) else None


def _difference(key: str, got: Any, expected: Any) -> str:
    """The first entry that differs, and whose it is."""
    if isinstance(got, list) and isinstance(expected, list):
        for i in range(max(len(got), len(expected))):
            a = got[i] if i < len(got) else None
            b = expected[i] if i < len(expected) else None
            if a != b:
                return f"{key}[{i}]: expected {b}, got {a}"
    if isinstance(got, dict) and isinstance(expected, dict):
        for name in [*expected, *got]:
            if got.get(name) != expected.get(name):
                return f"{key} of {name}: expected {expected.get(name)}, got {got.get(name)}"
    return f"{key}: expected {expected}, got {got}"


def engine_args(config: dict[str, Any]) -> EngineArgs:
    """The scheduler's arguments of a recorded case."""
    return EngineArgs(
        preset="vllm-0.33",
        version=config.get("engine_version", ""),
        planner="vllm_v1",
        max_num_batched_tokens=config["max_num_batched_tokens"],
        max_num_seqs=config["max_num_seqs"],
        max_num_active_seqs=config["max_num_active_seqs"],
        max_model_len=config["max_model_len"],
        block_size=config["block_size"],
        enable_chunked_prefill=config["enable_chunked_prefill"],
        enable_prefix_caching=config["enable_prefix_caching"],
        long_prefill_token_threshold=config["long_prefill_token_threshold"],
        long_prefill_token_threshold_adaptive=config["long_prefill_token_threshold_adaptive"],
        scheduling_policy=config["policy"],
        async_scheduling=config["async_scheduling"],
        scheduler_reserve_full_isl=config["scheduler_reserve_full_isl"],
        watermark=config["watermark"],
        prefill_schedule_interval=config["prefill_schedule_interval"],
        enforce_eager=False,
        gpu_memory_utilization=0.92,
        num_gpu_blocks_override=config["num_gpu_blocks"],
        kv_cache_memory_bytes=None,
    )


class Replay:
    """The recording's virtual loop (its README): one call of the scheduler a step, no time."""

    def __init__(self, case: dict[str, Any], exact: bool) -> None:
        config = case["config"]
        self.args = engine_args(config)
        policy = find("policies", self.args.scheduling_policy).make()
        self.batch = Batch(self.args, config["num_gpu_blocks"] - 1, policy, config["kv_role"] is not None)
        self.exact = exact
        self.index = 0
        self.from_totals = 0
        self.to_come = [_request(row, entry, self.args) for row, entry in enumerate(case["requests"])]
        self.entries = case["requests"]
        self.planned: tuple[Step, list[tuple[Request, int]]] | None = None
        self.loads: dict[Request, int] = {}
        self.sends: dict[Request, int] = {}

    def name(self, request: Request) -> str:
        return str(self.entries[request.row]["id"])

    def names(self, requests: Any) -> list[str] | None:
        return [self.name(request) for request in requests] or None

    def busy(self) -> bool:
        return bool(self.to_come or any(True for _ in self.batch.everyone()) or self.batch.sending)

    def step(self) -> dict[str, Any]:
        """One iteration; what a recorded step holds, empty lists as None."""
        batch = self.batch
        seen: dict[str, Any] = {"arrived": self._arrive()}
        step = plan(batch, self.exact)
        scheduled = self._scheduled(step)
        self._describe(step, scheduled, seen)
        for request, _ in step.loads:
            self.loads[request] = self.index + self.entries[request.row]["remote_prefill_steps"] - 1
        if self.args.async_scheduling:
            ended, self.planned = self.planned, (step, scheduled)
        else:
            ended = (step, scheduled)
        if ended:
            self._process(*ended, seen)
        seen["free_blocks"] = batch.cache.free
        seen["running"] = self.names(batch.running)
        seen["waiting"] = self.names([*batch.holding, *batch.waiting.in_order()])
        self.index += 1
        return seen

    def _arrive(self) -> list[str] | None:
        now = [request for request in self.to_come if self._due(request) <= self.index]
        now.sort(key=lambda request: (self._due(request), request.row))
        self.to_come = [request for request in self.to_come if self._due(request) > self.index]
        for request in now:
            request.order = self.batch_order = getattr(self, "batch_order", -1) + 1
            self.batch.waiting.add(request)
        return self.names(now)

    def _due(self, request: Request) -> int:
        return int(self.entries[request.row]["arrival_step"])

    def _scheduled(self, step: Step) -> list[tuple[Request, int]]:
        """Who got how many tokens, in batch order."""
        chunks = dict(zip(step.requests, (tokens for tokens, _ in step.chunks), strict=True))
        return [
            (request, chunks.get(request, 1))
            for request in self.batch.running
            if request in chunks or (0 <= request.since <= step.index and request not in step.left_out)
        ]

    def _describe(self, step: Step, scheduled: list[tuple[Request, int]], seen: dict[str, Any]) -> None:
        seen["scheduled"] = [[self.name(request), tokens] for request, tokens in scheduled] or None
        seen["new"] = self.names([request for request in step.admitted if not request.preemptions])
        seen["resumed"] = self.names([request for request in step.admitted if request.preemptions])
        seen["preempted"] = self.names(step.preempted)
        seen["hits"] = {self.name(request): request.hit for request in step.admitted} or None
        seen["load_started"] = self.names([request for request, _ in step.loads])
        seen["load_tokens"] = {self.name(request): tokens for request, tokens in step.loads} or None
        seen["free_after_schedule"] = self.batch.cache.free
        self.from_totals += step.totals

    def _process(self, step: Step, scheduled: list[tuple[Request, int]], seen: dict[str, Any]) -> None:
        batch = self.batch
        due_loads = [request for request, at in self.loads.items() if at <= self.index]
        due_sends = [request for request, at in self.sends.items() if at <= self.index]
        finals = set(step.finals)
        chunks = set(step.requests)
        producers = [request for request, _ in scheduled if request not in chunks or request in finals]
        gone = {request for request in producers if request.emitted >= request.output}
        dropped = {request for request in producers if batch.keeps_written and request in batch.stale}
        seen["tokens"] = self.names([r for r in producers if r not in gone and r not in dropped])
        ended = complete(batch, step.index)
        order = {request: i for i, request in enumerate(producers)}
        seen["finished"] = self.names(sorted(ended, key=lambda request: order[request]))
        for request in ended:
            if request.sends:
                self.sends[request] = self.index + self.entries[request.row]["send_steps"]
        by_name = self.name
        for request in sorted(due_loads, key=by_name):
            del self.loads[request]
            loaded(batch, request)
        for request in sorted(due_sends, key=by_name):
            del self.sends[request]
            sent(batch, request)
        seen["load_done"] = self.names(sorted(due_loads, key=by_name))
        seen["send_done"] = self.names(sorted(due_sends, key=by_name))


def _request(row: int, entry: dict[str, Any], args: EngineArgs) -> Request:
    room = args.max_model_len - entry["prompt_len"]
    limit = min(entry.get("max_tokens", entry["output_len"]), room)
    output = min(entry["output_len"], limit)
    request = Request(
        row,
        float(entry["arrival_step"]),
        entry["prompt_len"],
        output,
        foreseen=output == limit,
        pieces=tuple((segment, length) for segment, length in entry["prompt"] if length),
        output_segment=entry["output_segment"],
        priority=entry["priority"],
    )
    request.remote = entry.get("remote_prefill_steps") is not None
    request.sends = entry.get("send_steps") is not None
    return request
