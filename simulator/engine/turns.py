"""Whose turn it is: which lane of a pipeline is planned next, and who goes into its batch (R70, R74, R75)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine import lanes
from simulator.engine.complete import complete

if TYPE_CHECKING:
    from simulator.engine.lane import Lane
    from simulator.engine.pipelined import Pipelined
    from simulator.engine.request import Request


def fill(engine: Pipelined, now: float) -> None:
    """Plan steps until the pipeline is full or nobody is left."""
    if engine.batch.args.async_scheduling:
        _in_turn(engine, now)
    else:
        _free_lanes(engine, now)


def _free_lanes(engine: Pipelined, now: float) -> None:
    """A batch for every lane that is free, while there is work that is in none."""
    tries = 0
    while engine.free and _asked(engine):
        lane = engine.free[0]
        step = engine.planned(lane, now)
        if not step.empty:
            engine.free.popleft()
            engine.flights.append(engine.sent(lane, step, now))
            continue
        complete(engine.batch, step.index)
        engine.free.rotate(-1)
        tries += 1
        if engine.flights or tries > len(engine.lanes):
            return


def _in_turn(engine: Pipelined, now: float) -> None:
    """The lanes take turns, one a step, also without work: that keeps a request's tokens apart (R74)."""
    idle = 0
    while idle <= engine.depth and _asked(engine):
        _see_empty(engine, now)
        if len(engine.flights) == engine.depth:
            return
        lane = engine.lanes[engine.batch.numbers % len(engine.lanes)]
        step = engine.planned(lane, now)
        idle = idle + 1 if step.empty else 0
        engine.flights.append(engine.sent(lane, step, now))
    _see_empty(engine, now)


def _see_empty(engine: Pipelined, now: float) -> None:
    """Steps without work are over as soon as those before them are."""
    while engine.flights and engine.flights[0].step.empty:
        engine.complete(engine.flights.popleft(), now)


def _asked(engine: Pipelined) -> bool:
    """Whether the engine has requests."""
    batch = engine.batch
    return bool(batch.running or batch.waiting or batch.holding)


def after(engine: Pipelined, lane: Lane) -> Lane:
    """Whose turn is next when this lane has had its own: where those go who were left out."""
    if engine.batch.args.async_scheduling:
        return engine.lanes[(engine.batch.numbers + 1) % len(engine.lanes)]
    return engine.free[1] if len(engine.free) > 1 else engine.flights[0].lane


def gather(engine: Pipelined, lane: Lane) -> None:
    """Its turn is next, and all who are in no batch go into that one: also those left over in others."""
    engine.free.appendleft(lane)
    for other in engine.free:
        if other is not lane and other.decodes:
            for request in [r for r in engine.batch.running if r.since >= 0 and r.lane is other]:
                move(engine, request, lane)


def move(engine: Pipelined, request: Request, lane: Lane) -> None:
    """A decoding request that is in no batch in flight goes to that lane."""
    if request.lane is not None and request in request.lane.joining:
        request.lane.joining.remove(request)
    lanes.move(engine.batch, request, lane)
    lane.joining.append(request)
