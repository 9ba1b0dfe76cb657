"""Data-parallel attention priced as one: the requests of all ranks spread over them as evenly as can be.

The ranks themselves are in lock_step.py; here their work is not known rank by rank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.cost.lock_step import DUMMY, LockStep, tokens_of
from simulator.cost.work import Line, OpCost, Price, Work

if TYPE_CHECKING:
    from simulator.cost.roofline import Roofline


class DataParallel:
    """A CostModel of `ranks` equal ranks: decodes are spread evenly, a chunk runs on one of them."""

    __slots__ = ("rank", "ranks", "together")

    def __init__(self, rank: Roofline, ranks: int) -> None:
        self.rank, self.ranks, self.together = rank, ranks, LockStep(rank)

    def price(self, work: Work) -> Price:
        if not work.chunks:
            line = self.decode_line(work.decodes, work.context_sum)
            keys = work.context_sum
            return Price(
                line.base_s + line.per_token_s * keys,
                line.base_flops + line.per_token_flops * keys,
                line.base_bytes + line.per_token_bytes * keys,
            )
        works = self.split(work)
        prices = self.together.price([found or DUMMY for found in works])
        busy = [price for price, found in zip(prices, works) if found is not None]
        return Price(
            prices[0].seconds, sum(price.flops for price in busy), sum(price.bytes for price in busy)
        )

    def decode_line(self, decodes: int, context_sum: int) -> Line:
        """The line of the busiest rank, over the sum of all ranks' contexts."""
        ranks = self.ranks
        rows = -(-decodes // ranks)
        line = self.rank.decode_line(rows, -(-context_sum // ranks))
        share = decodes / rows if rows else 0.0
        return Line(
            line.base_s,
            line.per_token_s / ranks,
            line.until_tokens * ranks,
            line.base_flops * share,
            line.per_token_flops * share / ranks,
            line.base_bytes * share,
            line.per_token_bytes * share / ranks,
        )

    def explain(self, work: Work) -> list[OpCost]:
        """The busiest rank, FLOPs and bytes of that rank alone; its seconds add up to the price."""
        busiest = max((found or DUMMY for found in self.split(work)), key=tokens_of)
        rows = self.rank.explain(busiest)
        rest = self.price(work).seconds - sum(row.seconds for row in rows)
        # Experts wait for no more tokens than there are, however full the busiest rank is.
        return [row._replace(seconds=row.seconds + rest) if row.name == "experts" else row for row in rows]

    @property
    def provenance(self) -> dict[str, Any]:
        return {**self.rank.provenance, "data_parallel_size": self.ranks}

    @property
    def rates(self) -> Any:
        return self.rank.rates

    @property
    def plan(self) -> Any:
        return self.rank.plan

    def split(self, work: Work) -> list[Work | None]:
        """Each rank's share. Chunks go to the rank with the fewest prompt tokens, largest first."""
        bins: list[list[tuple[int, int]]] = [[] for _ in range(self.ranks)]
        for chunk in sorted(work.chunks, reverse=True):
            min(bins, key=lambda found: sum(size for size, _ in found)).append(chunk)
        finals = work.samples - work.decodes
        works: list[Work | None] = []
        for rank, chunks in enumerate(bins):
            rows = work.decodes // self.ranks + (rank < work.decodes % self.ranks)
            keys = -(-work.context_sum * rows // work.decodes) if rows else 0
            last = min(finals, len(chunks))
            finals -= last
            works.append(Work(rows, keys, tuple(chunks), rows + last) if rows or chunks else None)
        return works
