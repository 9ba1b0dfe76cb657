"""Attention of a prefill chunk in closed form: the hot path's shortcut for what layout.chunk_ops spells out.

Prefill kernels are priced as sums, so without a window seconds, FLOPs and bytes of a chunk are linear in four
quantities: one, its tokens, the tokens before it, and its query-key pairs. Four probes find the coefficients.
"""

from __future__ import annotations

from collections.abc import Callable

from simulator.cost import shape
from simulator.cost.layout import chunk_ops
from simulator.cost.rates import Rates

Cost = tuple[float, float, float]  # seconds on a rank; FLOPs, bytes of all ranks
ChunkCost = Callable[[int, int], Cost]


def chunk_cost(rates: Rates) -> ChunkCost:
    """(tokens, tokens before) of a chunk → what its attention costs."""
    kinds = list(shape.kinds(rates.plan.model))
    plain = _closed_form(rates, [kind for kind in kinds if kind != shape.SLIDING])
    if shape.SLIDING not in kinds:
        return plain

    def cost(tokens: int, context: int) -> Cost:
        a, b = plain(tokens, context), spelt_out(rates, [shape.SLIDING], tokens, context)
        return a[0] + b[0], a[1] + b[1], a[2] + b[2]

    return cost


def spelt_out(rates: Rates, kinds: list[str], tokens: int, context: int) -> Cost:
    """The same by pricing each op."""
    counted = chunk_ops(rates.plan, tokens, context, kinds)
    ranks = rates.plan.ranks
    flops = sum(count * op.flops for op, count in counted)
    moved = sum(count * op.bytes for op, count in counted)
    return rates.total(counted), flops * ranks, moved * ranks


def _closed_form(rates: Rates, kinds: list[str]) -> ChunkCost:
    probes = [spelt_out(rates, kinds, *point) for point in ((1, 0), (2, 0), (1, 1), (2, 2))]
    seconds, flops, moved = (_coefficients(*(probe[i] for probe in probes)) for i in range(3))
    s0, s1, s2, s3 = seconds
    f0, f1, f2, f3 = flops
    b0, b1, b2, b3 = moved

    def cost(tokens: int, context: int) -> Cost:
        pairs = tokens * (context + (tokens + 1) * 0.5)
        return (
            s0 + s1 * tokens + s2 * context + s3 * pairs,
            f0 + f1 * tokens + f2 * context + f3 * pairs,
            b0 + b1 * tokens + b2 * context + b3 * pairs,
        )

    return cost


def _coefficients(at10: float, at20: float, at11: float, at22: float) -> tuple[float, float, float, float]:
    """Of one, tokens, context and pairs, from the values at (tokens, context) = (1, 0), (2, 0), (1, 1), (2,
    2)."""
    pair = ((at22 - at20) - 2.0 * (at11 - at10)) / 2.0
    context = at11 - at10 - pair
    token = at20 - at10 - 2.0 * pair
    return at10 - token - pair, token, context, pair
