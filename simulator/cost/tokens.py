"""What a step costs by its number of tokens alone: projections, MLPs, experts, norms, collectives.

Batches that a CUDA graph holds run at the graph's size. Larger ones are priced at multiples of GRID tokens
and interpolated; one in four of them is a multiple of four, which some kernels treat differently.
"""

from __future__ import annotations

from typing import NamedTuple

from simulator.cost import graphs
from simulator.cost.layout import Counted, exchange, experts, head_ops, token_ops
from simulator.cost.rates import Rates

GRID = 64
ALIGNED = 0.25
Cost = tuple[float, float, float]  # seconds on a rank; FLOPs, bytes of all ranks


class Share(NamedTuple):
    """The ops of a batch of a certain size, and how much they count."""

    weight: float
    counted: list[Counted]


class TokenCosts:
    """Tables by number of tokens and of sampled rows, filled when first asked for."""

    def __init__(self, rates: Rates, sizes: list[int]) -> None:
        self.rates, self.sizes = rates, sizes
        self.largest = sizes[-1] if sizes else 0
        self.by_tokens: dict[int, Cost] = {}
        self.by_samples: dict[int, Cost] = {0: (0.0, 0.0, 0.0)}
        self._at: dict[int, Cost] = {}
        self._shared: dict[tuple[int, int], Cost] = {}

    def fill(self, tokens: int) -> Cost:
        """The cost of so many tokens, kept in by_tokens."""
        parts = [(weight, self._size(worked)) for worked, weight in self.worked(tokens)]
        seconds, moved = (sum(weight * cost[i] for weight, cost in parts) for i in (0, 2))
        flops = sum(
            weight * cost[1] / worked for (worked, weight), (_, cost) in zip(self.worked(tokens), parts)
        )
        found = self.by_tokens[tokens] = (seconds, flops * tokens, moved)
        return found

    def fill_samples(self, samples: int) -> Cost:
        """The cost of the output head over so many rows, kept in by_samples."""
        found = self.by_samples[samples] = self._cost(head_ops(self.rates.plan, samples))
        return found

    def shared(self, tokens: int, sent: int) -> Cost:
        """Of what by_tokens holds: the experts with `tokens` tokens on each data-parallel rank, and the
        exchange with them of a rank's `sent` tokens."""
        found = self._shared.get((tokens, sent))
        if found is None:
            plan = self.rates.plan
            parts = [(weight, self._cost([experts(plan, at)])) for at, weight in self.worked(tokens)]
            parts += [(weight, self._cost([exchange(plan, at)])) for at, weight in self.worked(sent)]
            seconds, flops, moved = (sum(weight * cost[i] for weight, cost in parts) for i in range(3))
            found = self._shared[tokens, sent] = (seconds, flops, moved)
        return found

    def worked(self, tokens: int) -> list[tuple[int, float]]:
        """The batch sizes whose weighted mean stands for `tokens`."""
        if tokens <= self.largest:
            return [(graphs.padded(tokens, self.sizes), 1.0)]
        below = tokens // GRID * GRID
        share = (tokens - below) / GRID
        ends = ((below, 1.0 - share), (below + GRID, share)) if share else ((below, 1.0),)
        mixed = [
            (max(size - off, 1), weight * part)
            for size, weight in ends
            for off, part in ((0, ALIGNED), (1, 1.0 - ALIGNED))
        ]
        return [(size, weight) for size, weight in mixed if weight]

    def shares(self, tokens: int) -> list[Share]:
        """The same, op by op."""
        return [Share(weight, token_ops(self.rates.plan, worked)) for worked, weight in self.worked(tokens)]

    def _size(self, worked: int) -> Cost:
        found = self._at.get(worked)
        if found is None:
            found = self._at[worked] = self._cost(token_ops(self.rates.plan, worked))
        return found

    def _cost(self, counted: list[Counted]) -> Cost:
        ranks = self.rates.plan.ranks
        flops = sum(count * op.flops for op, count in counted)
        moved = sum(count * op.bytes for op, count in counted)
        return self.rates.total(counted), flops * ranks, moved * ranks
