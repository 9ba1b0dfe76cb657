"""Run one case through the simulator's pipeline and the reference's, and say where they first differ."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import reference_pipeline
from pipelines import staged
from reference_pipeline import STAGE_S, STEP, Line
from runs import scenario

from simulator.results.run import RunResult
from simulator.scenario.resolved import Resolved
from simulator.simulate import simulate
from simulator.study.schedules import engine_args
from simulator.workload.columns import Workload, workload

MAX_STEPS = 4_000
Case = dict[str, Any]


def compare(case: Case, stages: int, rules: dict[str, bool]) -> str:
    """The first difference of either way of planning, of a case without loads or sends; nothing if none.

    rules: those of other releases, as in Rules.
    """
    case = case | {"config": case["config"] | {"kv_role": None}}
    try:
        expected = reference_pipeline.run(case, stages, rules, MAX_STEPS)
    except OverflowError:
        return ""
    made, load = (
        _scenario(case["config"], stages, rules),
        _load(case["requests"], case["config"]["max_model_len"]),
    )
    names = [row["id"] for row in _in_order(case["requests"])]
    for exact in (True, False):
        try:
            result = simulate(made, keep_steps=True, load=load, exact=exact)
            what = _steps(expected, result) or _requests(expected, result, names)
        except Exception as error:  # whatever the simulator raises is what is looked for
            what = f"raised {error!r}"
        if what:
            return f"{'exact' if exact else 'totals'}, {what}"
    return ""


def _in_order(rows: list[Case]) -> list[Case]:
    return sorted(rows, key=lambda row: int(row["arrival_step"]))


def _scenario(config: Case, stages: int, rules: dict[str, bool]) -> Resolved:
    made = scenario(step_s=stages * STAGE_S)
    args = engine_args(config)
    args = replace(args, rules=replace(args.rules, **rules))
    pool = replace(made.fleet.pools[0], engine=args)
    return staged(replace(made, fleet=replace(made.fleet, pools=(pool,))), stages)


def _load(rows: list[Case], limit: int) -> Workload:
    rows = _in_order(rows)
    prompt = np.array([row["prompt_len"] for row in rows])
    output = np.array([row["output_len"] for row in rows])
    most = np.array([row.get("max_tokens", row["output_len"]) for row in rows])
    pieces = [[pair for pair in row["prompt"] if pair[1]] for row in rows]
    return workload(
        np.array([row["arrival_step"] * STAGE_S for row in rows]),
        prompt,
        np.minimum(output, limit - prompt),
        max_tokens=np.minimum(most, limit - prompt),
        priority=np.array([row["priority"] for row in rows]),
        output_segment=np.array([row["output_segment"] for row in rows], np.uint64),
        segment_offset=np.cumsum([0, *map(len, pieces)]),
        segment_id=np.array([segment for pair in pieces for segment, _ in pair], np.uint64),
        segment_tokens=np.array([tokens for pair in pieces for _, tokens in pair]),
    )


def _steps(expected: Line, result: RunResult) -> str:
    columns = [result.steps[name].to_pylist() for name in STEP]
    got = list(zip(*columns, strict=True))
    for number, (ours, theirs) in enumerate(zip(got, expected.steps, strict=False)):
        if ours != theirs:
            wrong = [name for name, a, b in zip(STEP, ours, theirs, strict=True) if a != b]
            return f"step {number}: {', '.join(wrong)}: expected {theirs}, got {ours}"
    return "" if len(got) == len(expected.steps) else f"{len(expected.steps)} steps expected, got {len(got)}"


def _requests(expected: Line, result: RunResult, names: list[str]) -> str:
    columns = {
        "first_token_s": expected.first_s, "finish_s": expected.finish_s, "hit_tokens": expected.hits,
        "preemptions": expected.preemptions,
    }  # fmt: skip
    for column, wanted in columns.items():
        for name, got in zip(names, result.requests[column].to_pylist(), strict=True):
            if got != wanted.get(name, 0):
                return f"{name}: {column}: expected {wanted.get(name, 0)}, got {got}"
    return ""
