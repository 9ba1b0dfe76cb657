"""One step op by op, and where a cost model's times come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.cost.efficiency import overheads
from simulator.cost.layout import Counted, chunk_ops, decode_ops, head_ops, token_ops
from simulator.cost.work import OpCost, Work

if TYPE_CHECKING:
    from simulator.cost.roofline import Roofline


def explain(cost: Roofline, work: Work) -> list[OpCost]:
    """Each op of the step, all layers together; FLOPs and bytes of all ranks, seconds of one. They add up to
    the price."""
    tokens = work.decodes + sum(size for size, _ in work.chunks)
    rows = _costs(cost, token_ops(cost.plan, cost.padded(tokens)), tokens / cost.padded(tokens))
    for size, context in work.chunks:
        rows += _costs(cost, chunk_ops(cost.plan, size, context), 1.0)
    if work.decodes:
        rows += _costs(cost, decode_ops(cost.plan, work.decodes, work.context_sum), 1.0)
    if work.samples:
        rows += _costs(cost, head_ops(cost.plan, work.samples), 1.0)
    rows.append(_overhead(cost, work))
    rest = cost.price(work).seconds - sum(row.seconds for row in rows)
    return [
        *rows,
        OpCost("rounding to knots, waiting for launches", 0.0, 0.0, rest, "overhead", "by definition"),
    ]


def _costs(cost: Roofline, counted: list[Counted], useful: float) -> list[OpCost]:
    ranks = cost.plan.ranks
    found = []
    for op, count in counted:
        rate = cost.rates.of(op)
        flops, moved = op.flops * count * ranks * useful, op.bytes * count * ranks
        factor = cost.rates.factor(op)
        source = rate.source if factor == 1.0 else f"{rate.source}; × {factor:.3f} by measured rows near it"
        seconds = count * rate.seconds(op) * factor
        found.append(OpCost(op.name, flops, moved, seconds, rate.bound(op), source))
    return found


def _overhead(cost: Roofline, work: Work) -> OpCost:
    seconds = cost.overhead_s(work.decodes + len(work.chunks))
    return OpCost("engine", 0.0, 0.0, seconds, "overhead", overheads()["step_source"])


def provenance(cost: Roofline) -> dict[str, Any]:
    """For each kind of op that was priced: kind, source, error; and the overhead's source."""
    cost.price(Work(1, 1024, ((min(512, cost.engine.max_num_batched_tokens), 0),), 2))
    found = {
        key: {
            "kind": rate.kind,
            "source": rate.source,
            "median_pct": rate.median_pct,
            "p90_pct": rate.p90_pct,
        }
        for key, rate in sorted(cost.rates.used().items())
    }
    constants = overheads()
    return {
        "accelerator": cost.plan.accelerator.name,
        "model": cost.plan.model.name,
        "ops": found,
        "overhead_s": cost.overhead_s(0),
        "overhead_source": constants["step_source"],
    }
