"""The reference with several batches in flight: an engine core around reference_schedule (R70, R74, R75)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from reference import process
from reference_schedule import schedule
from reference_state import Batch, Engine, new_engine, new_request, put_behind

STAGE_S = 1 / 32


@dataclass(slots=True)
class Line:
    """What a run through the pipeline tells: of each step with work its START, END, …, as named in STEP; of
    each request, by its id, when its first and its last token were seen, its preemptions, and the tokens that
    it hit when it first came in.
    """

    steps: list[tuple[float, ...]] = field(default_factory=list)
    first_s: dict[str, float] = field(default_factory=dict)
    finish_s: dict[str, float] = field(default_factory=dict)
    preemptions: dict[str, int] = field(default_factory=dict)
    hits: dict[str, int] = field(default_factory=dict)


STEP = (
    "start_s", "end_s", "decodes", "context_sum", "prefill_tokens", "chunks", "used_blocks", "admitted",
    "preempted",
)  # fmt: skip


def run(case: dict[str, Any], stages: int, rules: dict[str, bool], max_steps: int) -> Line:
    """A case ({config, requests}); a stage takes STAGE_S for each step, arrivals count in the same unit.

    Raises OverflowError after max_steps.
    """
    engine = new_engine(case["config"], stages, **rules)
    asynchronous = bool(case["config"]["async_scheduling"])
    rows = sorted(case["requests"], key=lambda row: int(row["arrival_step"]))
    coming = deque((row["arrival_step"] * STAGE_S, new_request(row, i)) for i, row in enumerate(rows))
    left, ends, now = [0.0] * stages, [0.0] * stages, 0.0
    flights: deque[tuple[Batch, float]] = deque()
    line = Line()
    while coming or engine.running or engine.waiting or flights:
        while coming and coming[0][0] <= now:
            put_behind(engine, engine.waiting, [coming.popleft()[1]])
        if len(flights) < stages + asynchronous and (engine.running or engine.waiting):
            if engine.number == max_steps:
                raise OverflowError(f"no end after {max_steps} steps")
            composed, batch = _schedule(engine, line)
            if batch.items:
                start, end = _through(left, max(now, ends[-stages]))
                line.steps.append((start, end, *composed))
            if batch.items or asynchronous:
                ends.append(end if batch.items else ends[-1])
                flights.append((batch, ends[-1]))
                continue
            if not flights:  # all that ran was preempted
                flights.append((batch, now))
        if flights:
            batch, end = flights.popleft()
            now = max(now, end)
            _outputs(engine, batch, line, now)
        else:
            now = max(now, coming[0][0])
    return line


def _schedule(engine: Engine, line: Line) -> tuple[tuple[int, ...], Batch]:
    """One step: STEP but for its times, and the batch."""
    prompts = {request for request in engine.running if request.mid_prefill}
    plan, batch = schedule(engine)
    line.hits |= {request.id: plan.hits[request.id] for request in plan.new}
    for request in plan.preempted:
        line.preemptions[request.id] = request.preemptions
    prompts |= {*plan.new, *plan.resumed}
    decodes = [request for request, _ in plan.scheduled if request not in prompts]
    chunks = [tokens for request, tokens in plan.scheduled if request in prompts]
    keys = sum(request.computed for request in decodes)
    used = engine.config["num_gpu_blocks"] - 1 - len(engine.pool.free)
    admitted = len(plan.new) + len(plan.resumed)
    return (len(decodes), keys, sum(chunks), len(chunks), used, admitted, len(plan.preempted)), batch


def _through(left: list[float], ready_s: float) -> tuple[float, float]:
    """When a step takes the first stage and leaves the last one; left: when the one before left each."""
    start = max(ready_s, left[0])
    for stage, before in enumerate(left):
        ready_s = left[stage] = max(ready_s, before) + STAGE_S
    return start, ready_s


def _outputs(engine: Engine, batch: Batch, line: Line, now: float) -> None:
    done = process(engine, batch)
    for name in done.get("tokens", ()):
        line.first_s.setdefault(name, now)
    line.finish_s |= dict.fromkeys(done.get("finished", ()), now)
