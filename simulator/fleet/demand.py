"""What the requests of a pool ask of a replica, and how long that takes with batches as full as can be.

A closed form beside the simulation: no bursts, no imbalance between replicas. What it says is how much work
came in, in seconds of a replica that always has others waiting.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from simulator.cost.work import CostModel, OpCost, Work
from simulator.results.limits import BANDWIDTH, BOUNDS, BUDGET, COMPUTE, INTERCONNECT, KV, OVERHEAD, SEQS

NAMES = {"compute": COMPUTE, "memory": BANDWIDTH, "link": INTERCONNECT, "overhead": OVERHEAD}


@dataclass(frozen=True, slots=True)
class Demand:
    """Per pool. prompts: requests whose prompt, or a part of it, was computed; tokens, pairs: of those parts;
    answers: requests that decoded; decodes: their tokens; keys: tokens of context that a decode reads, mean.
    """

    prompts: float
    tokens: float
    pairs: float
    answers: float
    decodes: float
    keys: float


@dataclass(frozen=True, slots=True)
class Room:
    """What a replica's batch has to fit: KV blocks of so many tokens, requests, tokens of step and prompt."""

    blocks: float
    block_tokens: int
    seqs: float
    budget: float
    longest: int


@dataclass(frozen=True, slots=True)
class Step:
    """A kind of step, and how many of them the demand takes."""

    work: Work
    count: float


def full_steps(demand: Demand, room: Room) -> list[Step]:
    """The steps of a replica whose batch is always as full as it can be.

    As one request ends another comes in: a step that computes prompts has those of all that come in between
    two such steps, or of one, cut to what the decodes leave of the token budget. A request holds its place
    in the batch for a step more than it decodes.
    """
    if not demand.decodes:
        return _prefill(demand, room, room.budget, 0.0) if demand.tokens else []
    batch = min(room.seqs, room.blocks / (demand.keys / room.block_tokens + 0.5), room.budget)
    steps = (demand.decodes + demand.answers) / max(batch, 1.0)
    batch = demand.decodes / steps
    if not demand.tokens:
        return _steps(steps, batch, demand.keys)
    coming = max(demand.answers / steps, 1.0) * demand.tokens / demand.prompts
    most = max(min(coming, room.budget - batch), 1.0)
    mixed = _prefill(demand, room, most, batch)
    count = sum(step.count for step in mixed)
    if count >= steps:
        return _prefill(demand, room, most, demand.decodes / count)
    return [*mixed, *_steps(steps - count, batch, demand.keys)]


def _prefill(demand: Demand, room: Room, tokens: float, decodes: float) -> list[Step]:
    """Steps of so many prompt tokens: several whole prompts of mean length, or a part of one."""
    each = min(demand.tokens / demand.prompts, tokens, room.longest)
    parts = max(round(tokens / each), 1)
    size = min(max(round(tokens / parts), 1), room.longest)
    count = demand.tokens / (parts * size)
    context = max((demand.pairs / (count * parts) - size * (size + 1) / 2) / size, 0.0)
    return _steps(count, decodes, demand.keys, ((size, round(context)),) * parts)


def _steps(count: float, decodes: float, keys: float, chunks: tuple[tuple[int, int], ...] = ()) -> list[Step]:
    """So many steps of so many decodes on average: some of the whole number below, some of the one above."""
    below = int(decodes)
    above = decodes - below
    return [
        Step(Work(running, round(running * keys), chunks, running + len(chunks)), count * share)
        for running, share in ((below, 1 - above), (below + 1, above))
        if share and (running or chunks)
    ]


def seconds(cost: CostModel, steps: list[Step]) -> float:
    """How long a replica takes for them."""
    return sum(step.count * cost.price(step.work).seconds for step in steps)


def bounds(ops: list[OpCost]) -> dict[str, float]:
    """Seconds of a step by what binds its operations."""
    found = dict.fromkeys(BOUNDS, 0.0)
    for op in ops:
        found[NAMES[op.bound]] += op.seconds
    return {name: max(spent, 0.0) for name, spent in found.items()}


def shares(cost: CostModel, steps: list[Step]) -> dict[str, float]:
    """Of the time of those steps, by what binds their operations; sums to 1."""
    found = dict.fromkeys(BOUNDS, 0.0)
    for step in steps:
        for name, spent in bounds(cost.explain(step.work)).items():
            found[name] += step.count * spent
    total = sum(found.values())
    return {name: spent / total for name, spent in found.items()} if total else found


def relieved(cost: CostModel, demand: Demand, room: Room) -> dict[str, float]:
    """Seconds as in `seconds`, with twice as much of each resource."""
    steps = full_steps(demand, room)
    spent = seconds(cost, steps)
    faster = {name: spent * (1 - share / 2) for name, share in shares(cost, steps).items()}
    roomier = {
        KV: replace(room, blocks=2 * room.blocks),
        SEQS: replace(room, seqs=2 * room.seqs),
        BUDGET: replace(room, budget=2 * room.budget),
    }
    return faster | {name: seconds(cost, full_steps(demand, more)) for name, more in roomier.items()}
