"""A step that data-parallel ranks take together: they share their experts, so each layer waits for all.

A rank computes what is its own for its own requests; then it sends its tokens to the experts and waits for
those of all. So a step lasts as long as the busiest rank's own part, then the exchange of the rank with most
tokens, then the experts over everyone's tokens. Where a CUDA graph holds all ranks' batches, all run at the
size of the largest (vllm 0.33.0 v1/worker/dp_utils.py); else each runs at its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from simulator.cost.work import CostModel, Price, Work

if TYPE_CHECKING:
    from simulator.cost.roofline import Roofline

DUMMY = Work(1, 1, (), 1)
"""What a rank without requests runs while others have any: one token, thrown away."""


class Together(Protocol):
    """What a step costs each of the ranks that take it together: all prices have the same seconds."""

    def price(self, works: Sequence[Work]) -> list[Price]: ...


class Slowest:
    """The slowest rank's time, for ranks that share nothing but their pace."""

    __slots__ = ("cost",)

    def __init__(self, cost: CostModel) -> None:
        self.cost = cost

    def price(self, works: Sequence[Work]) -> list[Price]:
        alone = [self.cost.price(work) for work in works]
        seconds = max(price.seconds for price in alone)
        return [price._replace(seconds=seconds) for price in alone]


class LockStep:
    """Ranks that share their experts; rank: the price of one when all have the same work.

    FLOPs are of a rank's own tokens, whichever rank has their experts; bytes are what the rank moves.
    """

    __slots__ = ("rank",)

    def __init__(self, rank: Roofline) -> None:
        self.rank = rank

    def price(self, works: Sequence[Work]) -> list[Price]:
        """Equal works cost exactly what one of them does alone. DUMMY stands for a rank without requests."""
        tokens = [tokens_of(work) for work in works]
        alone = [self.rank.price(work) for work in works]
        most = max(tokens)
        if most <= self.rank.tokens.largest:
            return self._padded(alone, tokens, most)
        return self._as_they_are(works, alone, tokens, most)

    def _padded(self, alone: list[Price], tokens: list[int], most: int) -> list[Price]:
        """One graph for all: each rank's token-wise part is that of the largest batch."""
        wide = self._by_tokens(most)
        seconds, moved = [], []
        for price, count in zip(alone, tokens):
            own = self._by_tokens(count)
            seconds.append(price.seconds + (wide[0] - own[0]))
            moved.append(price.bytes + (wide[2] - own[2]))
        longest = max(seconds)
        return [Price(longest, price.flops, size) for price, size in zip(alone, moved)]

    def _as_they_are(
        self, works: Sequence[Work], alone: list[Price], tokens: list[int], most: int
    ) -> list[Price]:
        """No graph: the busiest rank by what is its own, then the exchange and the experts of all."""
        table = self.rank.tokens
        mean = -(-sum(tokens) // len(tokens))
        shared = [table.shared(count, count) for count in tokens]
        together = table.shared(mean, most)
        own = [price.seconds - part[0] for price, part in zip(alone, shared)]
        busiest = own.index(max(own))
        seconds = alone[busiest].seconds + (together[0] - shared[busiest][0])
        least = self.rank.least_s(works[tokens.index(most)])
        return [
            Price(max(seconds, least), price.flops, price.bytes + (together[2] - part[2]))
            for price, part in zip(alone, shared)
        ]

    def _by_tokens(self, count: int) -> tuple[float, float, float]:
        return self.rank.tokens.by_tokens.get(count) or self.rank.tokens.fill(count)


def tokens_of(work: Work) -> int:
    return work.decodes + sum(size for size, _ in work.chunks)
