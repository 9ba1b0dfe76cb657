"""Attention of a prefill chunk in closed form: the hot path's shortcut for what layout.chunk_ops spells out.

Prefill kernels are priced as sums, so a chunk's seconds, FLOPs and bytes are linear in its query-key pairs,
its tokens, the cached keys it sees and the keys in its reach.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from simulator.cost import shape
from simulator.cost.curves import TOKENS
from simulator.cost.efficiency import Rate
from simulator.cost.layout import chunk_ops
from simulator.cost.ops import Op, pairs
from simulator.cost.rates import Rates

Cost = tuple[float, float, float]  # seconds on a rank; FLOPs, bytes of all ranks
ChunkCost = Callable[[int, int], Cost]


class Kernel(NamedTuple):
    """The attention kernel of all layers of one kind: seconds a pair, token, cached key, key in reach and
    chunk; FLOPs a pair; bytes a token and cached key; keys in the window (0: all); the measured correction
    by tokens.
    """

    s_pair: float
    s_token: float
    s_seen: float
    s_reach: float
    s_chunk: float
    f_pair: float
    b_token: float
    b_seen: float
    window: int
    factors: list[float]


def chunk_cost(rates: Rates, longest: int) -> ChunkCost:
    """(tokens, tokens before) of a chunk → what its attention costs; `longest`: tokens of the largest
    chunk."""
    kernels, rest = [], False
    for kind in shape.kinds(rates.plan.model):
        for index, (op, _) in enumerate(chunk_ops(rates.plan, 1, 0, [kind])):
            if op.kind.endswith("prefill"):
                kernels.append(_kernel(rates, kind, index, longest))
            else:
                rest = True
    if rest or len(kernels) != 1 or kernels[0].window:
        others = _others(rates) if rest else None
        return lambda tokens, context: _any(kernels, others, tokens, context)
    return _plain(kernels[0])


def _plain(kernel: Kernel) -> ChunkCost:
    """One kernel that sees all keys."""
    s_pair, s_token, s_seen, s_reach, s_chunk, f_pair, b_token, b_seen, _, factors = kernel
    s_token, s_seen = s_token + s_reach, s_seen + s_reach

    def cost(tokens: int, context: int) -> Cost:
        count = tokens * (context + (tokens + 1) * 0.5)
        factor = 1.0 + (factors[tokens] - 1.0) * tokens / (tokens + context)
        return (
            factor * (s_pair * count + s_token * tokens + s_seen * context + s_chunk),
            f_pair * count,
            b_token * tokens + b_seen * context,
        )

    return cost


def _any(kernels: list[Kernel], others: ChunkCost | None, tokens: int, context: int) -> Cost:
    seconds, flops, moved = others(tokens, context) if others else (0.0, 0.0, 0.0)
    for kernel in kernels:
        window = kernel.window
        seen, reach = context, context + tokens
        if window and reach > window:
            seen, reach = min(context, window), window
        count = pairs(tokens, context, window)
        factor = 1.0 + (kernel.factors[tokens] - 1.0) * tokens / (tokens + context)
        seconds += factor * (
            kernel.s_pair * count
            + kernel.s_token * tokens
            + kernel.s_seen * seen
            + kernel.s_reach * reach
            + kernel.s_chunk
        )
        flops += kernel.f_pair * count
        moved += kernel.b_token * tokens + kernel.b_seen * seen
    return seconds, flops, moved


def _kernel(rates: Rates, kind: str, index: int, longest: int) -> Kernel:
    """Its coefficients, from the op at a token and at a token after one."""
    op, layers = chunk_ops(rates.plan, 1, 0, [kind])[index]
    after = chunk_ops(rates.plan, 1, 1, [kind])[index][0]
    rate = rates.of(op)
    assert isinstance(rate, Rate) and rate.p == 1.0, rate
    seen, ranks = after.bytes - op.bytes, rates.plan.ranks * layers
    return Kernel(
        layers * rate.s_per_flop * op.flops,
        layers * rate.s_per_byte * op.bytes,
        layers * rate.s_per_byte * seen,
        layers * rate.tail_s * op.lead,
        layers * rate.t0_s,
        ranks * op.flops,
        ranks * op.bytes,
        ranks * seen,
        int(op.shape[6]),
        _factors(rates, op, longest),
    )


def _factors(rates: Rates, op: Op, longest: int) -> list[float]:
    """The measured correction of a chunk without context, by its tokens."""
    grid = [size for size in TOKENS if size <= 2 * longest]
    at = [rates.factor(op._replace(shape=(1, size, *op.shape[2:]))) for size in grid]
    values: list[float] = np.interp(np.log2(np.arange(1, longest + 1)), np.log2(grid), at).tolist()
    return [1.0, *values]


def _others(rates: Rates) -> ChunkCost:
    """What runs beside the attention kernel, linear in tokens and context: expanding latents, recurrences."""
    at00, at10, at01 = (_spelt_out(rates, *point) for point in ((1, 0), (2, 0), (1, 1)))
    token = [b - a for a, b in zip(at00, at10)]
    before = [b - a for a, b in zip(at00, at01)]
    start = [value - each for value, each in zip(at00, token)]

    def cost(tokens: int, context: int) -> Cost:
        return (
            start[0] + token[0] * tokens + before[0] * context,
            start[1] + token[1] * tokens + before[1] * context,
            start[2] + token[2] * tokens + before[2] * context,
        )

    return cost


def _spelt_out(rates: Rates, tokens: int, context: int) -> Cost:
    found = chunk_ops(rates.plan, tokens, context)
    counted = [(op, count) for op, count in found if not op.kind.endswith("prefill")]
    ranks = rates.plan.ranks
    flops = sum(count * op.flops for op, count in counted)
    return rates.total(counted), flops * ranks, sum(count * op.bytes for op, count in counted) * ranks
