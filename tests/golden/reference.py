"""An independent, plain implementation of the engine's scheduling rules, for tests to compare with.

It keeps every token and every block, shares no code with the simulator, and answers in the format of the
recorded schedules: one dict a step.
"""

from __future__ import annotations

from typing import Any

from reference_blocks import let_go
from reference_schedule import keeps_back, register_known, schedule
from reference_state import (
    STRIDE,
    Batch,
    Engine,
    Plan,
    Request,
    new_engine,
    new_request,
    put_behind,
)

Step = dict[str, Any]


def run(case: dict[str, Any], max_steps: int) -> list[Step]:
    """The steps of a case ({config, requests}), at most `max_steps` of them."""
    engine = new_engine(case["config"])
    to_come = [new_request(row, 0) for row in case["requests"]]
    arrivals = {
        request.id: row["arrival_step"] for request, row in zip(to_come, case["requests"], strict=True)
    }
    in_flight: Batch | None = None
    steps: list[Step] = []
    added = 0
    while len(steps) < max_steps:
        arrived = [request for request in to_come if arrivals[request.id] == engine.step]
        to_come = [request for request in to_come if arrivals[request.id] != engine.step]
        for request in arrived:
            request.order, added = added, added + 1
        put_behind(engine, engine.waiting, arrived)
        step, in_flight = _iterate(engine, in_flight)
        steps.append({"step": engine.step, **_filled({"arrived": _ids(arrived)}), **step})
        engine.step += 1
        if not (to_come or _busy(engine) or (in_flight and in_flight.items)):
            break
    return steps


def _iterate(engine: Engine, in_flight: Batch | None) -> tuple[Step, Batch | None]:
    plan, batch = schedule(engine)
    step = _planned(plan) | {"free_after_schedule": len(engine.pool.free)}
    to_process: Batch | None = batch
    if engine.config["async_scheduling"]:
        to_process, in_flight = in_flight, batch
    if to_process is not None:
        step |= process(engine, to_process)
    step |= {"free_blocks": len(engine.pool.free), "running": _ids(engine.running)}
    return step | _filled({"waiting": _ids(engine.holding + engine.waiting)}), in_flight


def _ids(requests: list[Request]) -> list[str]:
    return [request.id for request in requests]


def _filled(fields: Step) -> Step:
    return {key: value for key, value in fields.items() if value}


def _busy(engine: Engine) -> bool:
    return bool(engine.running or engine.waiting or engine.holding or engine.sends)


def _planned(plan: Plan) -> Step:
    optional = {
        "new": _ids(plan.new),
        "resumed": _ids(plan.resumed),
        "preempted": _ids(plan.preempted),
        "hits": plan.hits,
        "load_started": list(plan.loads),
        "load_tokens": plan.loads,
    }
    return {"scheduled": [[request.id, count] for request, count in plan.scheduled]} | _filled(optional)


def process(engine: Engine, batch: Batch) -> Step:
    """A batch's outputs are seen: who gets a token, who ends, whose loads and sends are through."""
    loaded = [request for request, due in engine.loads.items() if due <= engine.step]
    sent = [request for request, due in engine.sends.items() if due <= engine.step]
    _return_kept_back(engine, batch)
    tokens: list[Request] = []
    for request, count, yields in batch.items:
        if request.status != "finished" and _take_output(engine, request, count, yields):
            tokens.append(request)
    finished = [request for request in tokens if request.status == "finished"]
    done = {"load_done": _report_loads(engine, loaded), "send_done": _report_sends(engine, sent)}
    return _filled({"tokens": _ids(tokens), "finished": _ids(finished)} | done)


def _return_kept_back(engine: Engine, batch: Batch) -> None:  # R89
    engine.processed = max(engine.processed, batch.number)
    for number, blocks in engine.kept_back:
        if number <= engine.processed:
            let_go(engine.pool, blocks)
    engine.kept_back = [entry for entry in engine.kept_back if entry[0] > engine.processed]


def _take_output(engine: Engine, request: Request, count: int, yields: bool) -> bool:
    """Process one item of a batch; whether a token was delivered (R53, R62, R73)."""
    was_preempted = request.stale > 0
    request.in_flight -= count
    request.stale -= count if was_preempted else 0
    if not yields or (was_preempted and engine.config["kv_role"]):
        return False
    position = len(request.tokens) - request.prompt_len
    request.tokens.append(request.output_segment * STRIDE + position)
    if engine.config["async_scheduling"] and not was_preempted:
        request.placeholders -= 1
        register_known(engine, request)
    if _has_ended(engine, request):
        _finish(engine, request)
    return True


def _has_ended(engine: Engine, request: Request) -> bool:  # R63
    outputs = len(request.tokens) - request.prompt_len
    full = len(request.tokens) >= engine.config["max_model_len"]
    return full or outputs >= request.output_len


def _finish(engine: Engine, request: Request) -> None:
    queue = engine.running if request in engine.running else engine.waiting
    queue.remove(request)
    request.status = "finished"
    if request.send_steps:
        engine.sends[request] = engine.step + request.send_steps
    elif keeps_back(engine) and request.newest_batch > engine.processed:
        engine.kept_back.append((engine.batches, request.blocks))
    else:
        let_go(engine.pool, request.blocks)


def _report_loads(engine: Engine, loaded: list[Request]) -> list[str]:
    for request in loaded:
        request.status = "loaded"
        del engine.loads[request]
    return sorted(_ids(loaded))


def _report_sends(engine: Engine, sent: list[Request]) -> list[str]:
    ordered = sorted(sent, key=lambda request: request.id)
    for request in ordered:
        del engine.sends[request]
        let_go(engine.pool, request.blocks)
    return _ids(ordered)
