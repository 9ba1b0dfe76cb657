"""One step op by op, and where a cost model's times come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.cost.efficiency import overheads
from simulator.cost.layout import Counted, chunk_ops, decode_ops, head_ops
from simulator.cost.work import OpCost, Work

if TYPE_CHECKING:
    from simulator.cost.roofline import Roofline


def explain(cost: Roofline, work: Work) -> list[OpCost]:
    """Each op of the step, all layers together; FLOPs and bytes of all ranks, seconds of one. They add up to
    the price."""
    rows = _by_tokens(cost, work.decodes + sum(size for size, _ in work.chunks))
    for size, context in work.chunks:
        rows += _costs(cost, chunk_ops(cost.plan, size, context))
    if work.decodes:
        rows += _costs(cost, decode_ops(cost.plan, work.decodes, work.context_sum))
    if work.samples:
        rows += _costs(cost, head_ops(cost.plan, work.samples))
    rows.append(_overhead(cost, work))
    rest = cost.price(work).seconds - sum(row.seconds for row in rows)
    return [*rows, OpCost("interpolation and launches", 0.0, 0.0, rest, "overhead", "between knots")]


def _by_tokens(cost: Roofline, tokens: int) -> list[OpCost]:
    """Ops over all tokens: of the batch as it is padded, or the weighted mean of the sizes around it."""
    sizes = cost.tokens.worked(tokens)
    parts = [_costs(cost, share.counted) for share in cost.tokens.shares(tokens)]
    found = []
    for rows in zip(*parts):
        weighted = [(weight, size, row) for (size, weight), row in zip(sizes, rows)]
        flops = sum(weight * row.flops * tokens / size for weight, size, row in weighted)
        moved, seconds = (sum(weight * row[i] for weight, _, row in weighted) for i in (2, 3))
        found.append(rows[0]._replace(flops=flops, bytes=moved, seconds=seconds))
    return found


def _costs(cost: Roofline, counted: list[Counted]) -> list[OpCost]:
    ranks = cost.plan.ranks
    found = []
    for op, count in counted:
        rate = cost.rates.of(op)
        factor = cost.rates.factor(op)
        source = rate.source if factor == 1.0 else f"{rate.source}; × {factor:.3f} by measured rows near it"
        seconds = count * rate.seconds(op) * factor
        found.append(
            OpCost(
                op.name, op.flops * count * ranks, op.bytes * count * ranks, seconds, rate.bound(op), source
            )
        )
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
