"""Data-parallel attention: each rank has its own requests, experts are shared, and the busiest rank sets the
pace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.cost.work import Line, OpCost, Price, Work

if TYPE_CHECKING:
    from simulator.cost.roofline import Roofline


class DataParallel:
    """A CostModel of `ranks` equal ranks: decodes are spread evenly, a chunk runs on one of them."""

    __slots__ = ("rank", "ranks")

    def __init__(self, rank: Roofline, ranks: int) -> None:
        self.rank, self.ranks = rank, ranks

    def price(self, work: Work) -> Price:
        if not work.chunks:
            line = self.decode_line(work.decodes, work.context_sum)
            keys = work.context_sum
            return Price(
                line.base_s + line.per_token_s * keys,
                line.base_flops + line.per_token_flops * keys,
                line.base_bytes + line.per_token_bytes * keys,
            )
        busiest = self.busiest(work)
        price = self.rank.price(busiest)
        share = _tokens(work) / _tokens(busiest)
        return Price(price.seconds, price.flops * share, price.bytes * share)

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
        """The busiest rank, FLOPs and bytes of that rank alone."""
        return self.rank.explain(self.busiest(work))

    @property
    def provenance(self) -> dict[str, Any]:
        return {**self.rank.provenance, "data_parallel_size": self.ranks}

    @property
    def rates(self) -> Any:
        return self.rank.rates

    @property
    def plan(self) -> Any:
        return self.rank.plan

    def busiest(self, work: Work) -> Work:
        """Chunks go to the rank with the fewest tokens, largest first; the rank that ends up with most."""
        ranks = self.ranks
        rows, keys = -(-work.decodes // ranks), -(-work.context_sum // ranks)
        bins: list[list[tuple[int, int]]] = [[] for _ in range(ranks)]
        for chunk in sorted(work.chunks, reverse=True):
            min(bins, key=lambda found: sum(size for size, _ in found)).append(chunk)
        most = max(bins, key=lambda found: sum(size for size, _ in found))
        return Work(rows, keys, tuple(most), -(-work.samples // ranks))


def _tokens(work: Work) -> int:
    return work.decodes + sum(size for size, _ in work.chunks)
