"""Decode throughput against batch: the points, the zones, and what ends each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.cost import efficiency, graphs, shape
from simulator.study.roofline import zones
from simulator.study.roofline.replica import Replica
from simulator.study.roofline.steps import ATTENTION, ENGINE, LAYERS, LINKS, Part, Step, decode

COMPUTE, WEIGHTS, KV, KV_ROOM, SEQS, LATENCY, OTHER = (
    "compute",
    "weights of further experts",
    "KV reads",
    "KV room",
    "max_num_seqs",
    "launches",
    "sampling and norms",
)


@dataclass(frozen=True, slots=True)
class Row:
    """A batch. of_linear: throughput over `batch` times that of one request; one_more: what a request adds
    on the way to this batch, over what the first one brought; held: the KV cache holds that many."""

    step: Step
    of_linear: float
    one_more: float
    zone: str
    held: bool


@dataclass(frozen=True, slots=True)
class Zone:
    """Batches of one zone. grows: what lengthens the step most from its beginning to its end; grown_s: by
    so much; ended_by: what does so beyond its end, or stops the curve."""

    name: str
    first: int
    last: int
    grows: str
    grown_s: float
    ended_by: str


@dataclass(frozen=True, slots=True)
class Curve:
    """context: keys that each request reads; room: requests that the KV cache and max_num_seqs hold; best:
    the batch of the highest throughput among those tried."""

    context: int
    room: int
    room_is: str
    best: int
    rows: tuple[Row, ...]
    zones: tuple[Zone, ...]


def curve(replica: Replica, batches: Sequence[int], context: int) -> Curve:
    """The curve at the given batches; its zones come from a finer grid up to max_num_seqs."""
    steps = {batch: decode(replica, batch, context) for batch in grid(replica, batches)}
    found = zones.spans([(batch, step.tokens_per_s) for batch, step in steps.items()])
    room = replica.holds(context)
    rows = [_row(steps, batch, found, room) for batch in batches]
    limit = SEQS if room == replica.cost.engine.max_num_seqs else KV_ROOM
    best = max(steps, key=lambda batch: steps[batch].tokens_per_s)
    return Curve(context, room, limit, best, tuple(rows), tuple(_zones(replica, steps, found)))


def grid(replica: Replica, also: Sequence[int] = ()) -> list[int]:
    """Batches worth a look: 1, the sizes of CUDA graphs, tiles beyond them, up to max_num_seqs."""
    engine = replica.cost.engine
    captured = graphs.capture_sizes(engine, replica.accelerator)
    top = captured[-1] if captured else 0
    tiles = [*range(8, 257, 8), *range(256, engine.max_num_seqs + 1, 64)]
    sizes = {1, engine.max_num_seqs, *captured, *also, *(size for size in tiles if size > top)}
    return sorted(size for size in sizes if size <= max(engine.max_num_seqs, *also, 1))


def _row(steps: dict[int, Step], batch: int, found: list[zones.Span], room: int) -> Row:
    step, span = steps[batch], zones.at(found, batch)
    linear = step.tokens_per_s / (batch * steps[1].tokens_per_s)
    return Row(step, linear, span.share if batch > 1 else 1.0, span.zone, batch <= room)


def _zones(replica: Replica, steps: dict[int, Step], found: list[zones.Span]) -> list[Zone]:
    names = list(dict.fromkeys(span.zone for span in found))
    result = []
    for index, name in enumerate(names):
        mine = [span for span in found if span.zone == name]
        first, last = mine[0].first, mine[-1].last
        grows, seconds = growth(replica, steps[first], steps[last])
        rest = found[found.index(mine[-1]) + 1 :]
        ended = growth(replica, steps[last], steps[rest[0].last])[0] if rest else SEQS
        result.append(Zone(name, first + (index > 0), last, grows, seconds, ended))
    return result


def growth(replica: Replica, a: Step, b: Step) -> tuple[str, float]:
    """What lengthens a decode step most between two batches, and by how many seconds."""
    by_cause: dict[str, float] = {}
    for before, after in zip(a.parts, b.parts):
        name = cause(replica, before, after)
        by_cause[name] = by_cause.get(name, 0.0) + after.seconds - before.seconds
    name = max(by_cause, key=lambda name: by_cause[name])
    return name, by_cause[name]


def cause(replica: Replica, before: Part, after: Part) -> str:
    """Why a part takes longer: its arithmetic or its traffic, whichever grew more."""
    if after.name in (ENGINE, LINKS):
        return LATENCY
    plan = replica.cost.plan
    compute = (after.flops - before.flops) / efficiency.peak_flops(plan.accelerator, plan.precision.peak)
    memory = (after.bytes - before.bytes) / plan.accelerator.hbm_bytes_per_s
    if after.name == ATTENTION:
        return KV if memory >= compute else COMPUTE
    if compute > memory:
        return COMPUTE
    return WEIGHTS if after.name == LAYERS and shape.parameters(plan.model).experts else OTHER
