"""Operating points: what a prefill or a decode step computes and moves, at best and by the cost model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from simulator.cost import efficiency, precision
from simulator.cost.layout import Plan
from simulator.cost.work import OpCost, Work
from simulator.study.roofline.replica import Replica

LAYERS, ATTENTION, HEAD, REST, LINKS, ENGINE = "layers", "attention", "head", "rest", "links", "engine"
PARTS = (LAYERS, ATTENTION, HEAD, REST, LINKS, ENGINE)
_BY_NAME = {
    **dict.fromkeys(("norm", "rope", "activation", "router"), REST),
    **dict.fromkeys(("all_reduce", "dispatch_combine", "stage_hand_over", "logits"), LINKS),
    **dict.fromkeys(("linear_attention", "kv_b_context"), ATTENTION),
    "lm_head": HEAD,
    "engine": ENGINE,
}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a step. flops, bytes: of all accelerators; seconds: by the cost model; ideal_s: each op at
    the datasheet's peak or bandwidth, whichever takes longer; bound: where most of its seconds go; source:
    of the op that takes longest."""

    name: str
    flops: float
    bytes: float
    seconds: float
    ideal_s: float
    bound: str
    source: str

    @property
    def intensity(self) -> float:
        """FLOP a byte."""
        return self.flops / self.bytes if self.bytes else 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """One decode step, or the steps of one prefill.

    tokens: computed in all; context: keys that a decode reads, 0 for prefill; seconds: with the engine's
    overhead, kernel_s: without, ideal_s: each op at the datasheet's peak or bandwidth; intensity: FLOP a
    byte of the whole; mfu, mbu: FLOP/s and byte/s over the datasheet's, mfu against the layers' own dtype.
    """

    phase: str
    sequences: int
    tokens: int
    context: int
    seconds: float
    kernel_s: float
    ideal_s: float
    flops: float
    bytes: float
    intensity: float
    tokens_per_s: float
    ideal_tokens_per_s: float
    mfu: float
    mbu: float
    parts: tuple[Part, ...]

    def part(self, name: str) -> Part:
        return next(part for part in self.parts if part.name == name)


@dataclass(frozen=True, slots=True)
class Point:
    """Where layouts, formats and accelerators are compared: one prompt of `prompt` tokens; decodes of
    `context` keys each, one and `batch` at once."""

    prompt: int
    batch: int
    context: int


def decode(replica: Replica, batch: int, context: int) -> Step:
    """One step of `batch` decodes that read `context` keys each."""
    work = Work(batch, batch * context, (), batch)
    return _step(replica, "decode", [work], batch, batch, context)


def prefill(replica: Replica, prompt: int, prompts: int = 1) -> Step:
    """All steps of some prompts of one length that wait together."""
    works = packed([prompt] * prompts, replica.cost.engine.max_num_batched_tokens)
    return _step(replica, "prefill", works, prompts, prompts * prompt, 0)


def packed(prompts: Iterable[int], budget: int) -> list[Work]:
    """Prompts that wait together as chunked prefill takes them: `budget` tokens a step, in order."""
    works: list[Work] = []
    chunks: list[tuple[int, int]] = []
    room, samples = budget, 0
    for prompt in prompts:
        done = 0
        while done < prompt:
            size = min(prompt - done, room)
            chunks.append((size, done))
            done, room = done + size, room - size
            samples += done == prompt
            if not room:
                works.append(Work(0, 0, tuple(chunks), samples))
                chunks, room, samples = [], budget, 0
    return [*works, Work(0, 0, tuple(chunks), samples)] if chunks else works


def _step(replica: Replica, phase: str, works: list[Work], sequences: int, tokens: int, context: int) -> Step:
    parts = _parts(replica, works)
    seconds = sum(part.seconds for part in parts)
    ideal = sum(part.ideal_s for part in parts)
    flops, moved = sum(part.flops for part in parts), sum(part.bytes for part in parts if part.name != LINKS)
    plan = replica.cost.plan
    peak = efficiency.peak_flops(plan.accelerator, plan.precision.peak) * plan.ranks
    return Step(
        phase,
        sequences,
        tokens,
        context,
        seconds,
        seconds - parts[-1].seconds,
        ideal,
        flops,
        moved,
        flops / moved,
        tokens / seconds,
        tokens / ideal,
        flops / seconds / peak,
        moved / seconds / (plan.accelerator.hbm_bytes_per_s * plan.ranks),
        tuple(parts),
    )


def _parts(replica: Replica, works: list[Work]) -> list[Part]:
    rows: dict[str, list[OpCost]] = {name: [] for name in PARTS}
    for work in works:
        for row in replica.cost.explain(work):
            rows[_part_of(row, work)].append(row)
    return [_part(name, found, replica.cost.plan) for name, found in rows.items()]


def _part_of(row: OpCost, work: Work) -> str:
    """What the cost model rounds belongs to what it interpolates: layers by tokens, a decode's attention by
    context."""
    if not row.bytes and row.name != "engine":
        return LAYERS if work.chunks else ATTENTION
    attention = row.name.startswith(("attention", "mla"))
    return ATTENTION if attention else _BY_NAME.get(row.name, LAYERS)


def _part(name: str, rows: list[OpCost], plan: Plan) -> Part:
    by_bound: dict[str, float] = {}
    for row in rows:
        by_bound[row.bound] = by_bound.get(row.bound, 0.0) + row.seconds
    return Part(
        name,
        sum(row.flops for row in rows),
        sum(row.bytes for row in rows),
        sum(row.seconds for row in rows),
        sum(ideal_s(row, name, plan) for row in rows),
        max(by_bound, key=lambda bound: by_bound[bound], default=""),
        max(rows, key=lambda row: row.seconds).source if rows else "",
    )


def ideal_s(row: OpCost, part: str, plan: Plan) -> float:
    """Seconds of an op at the datasheet's figures: no launch, no latency, nothing under the peak."""
    flops, moved = row.flops / plan.ranks, row.bytes / plan.ranks
    if row.bound == "link":
        return moved * _volume(row.name, plan.tp) / efficiency.link_bytes_per_s(plan.accelerator, plan.tp)
    used = plan.precision if part == LAYERS else precision.BF16
    peak = efficiency.peak_flops(plan.accelerator, used.peak)
    return max(flops / peak, moved / plan.accelerator.hbm_bytes_per_s)


def _volume(name: str, ranks: int) -> float:
    """Bytes over one direction of a rank's link for each byte of the tensor: a ring's."""
    return (2.0 if name == "all_reduce" else 1.0) * (ranks - 1) / ranks
