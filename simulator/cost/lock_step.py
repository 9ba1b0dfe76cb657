"""A step that data-parallel ranks take together: they share their experts, so each layer waits for all.

A rank computes what is its own for its own requests; then it sends its tokens to the experts and waits for
those of all. So a step lasts as long as the busiest rank's own part, then the exchange of the rank with most
tokens, then the experts over everyone's tokens. Where a CUDA graph holds all ranks' batches, all run at the
size of the largest (vllm 0.33.0 v1/worker/dp_utils.py); else each runs at its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from simulator.cost.work import CostModel, Line, Price, Work

if TYPE_CHECKING:
    from simulator.cost.roofline import Roofline

DUMMY = Work(1, 1, (), 1)
"""What a rank without requests runs while others have any: one token, thrown away."""


MANY = 1 << 40


class Pace(NamedTuple):
    """Decode-only steps of ranks that keep step, as contexts grow: the line of the slowest rank, which starts
    with context_sum keys of `decodes` requests, for `steps` steps in which it stays the slowest."""

    base_s: float
    per_token_s: float
    decodes: int
    context_sum: int
    steps: int


class Together(Protocol):
    """What a step costs each of the ranks that take it together: all prices have the same seconds."""

    def price(self, works: Sequence[Work]) -> list[Price]: ...

    def pace(self, works: Sequence[Work]) -> tuple[Pace, list[Line]]:
        """Of decode-only works; and each rank's own line, with the FLOPs and bytes of its part."""
        ...


class Slowest:
    """The slowest rank's time, for ranks that share nothing but their pace."""

    __slots__ = ("cost",)

    def __init__(self, cost: CostModel) -> None:
        self.cost = cost

    def price(self, works: Sequence[Work]) -> list[Price]:
        alone = [self.cost.price(work) for work in works]
        seconds = max(price.seconds for price in alone)
        return [price._replace(seconds=seconds) for price in alone]

    def pace(self, works: Sequence[Work]) -> tuple[Pace, list[Line]]:
        lines = [self.cost.decode_line(work.decodes, work.context_sum) for work in works]
        return _slowest(works, lines, [0.0] * len(works), 0.0), lines


class LockStep:
    """Ranks that share their experts; rank: the price of one when all have the same work.

    FLOPs are of a rank's own tokens, whichever rank has their experts; bytes are what the rank moves.
    """

    __slots__ = ("rank",)

    def __init__(self, rank: Roofline) -> None:
        self.rank = rank

    def price(self, works: Sequence[Work]) -> list[Price]:
        """Equal works cost exactly what one of them does alone. DUMMY stands for a rank without requests."""
        alone = [self.rank.price(work) for work in works]
        more = self._more([tokens_of(work) for work in works])
        seconds = [price.seconds + other[0] for price, other in zip(alone, more)]
        longest = max(*seconds, self._least_s(works))
        return [Price(longest, price.flops, price.bytes + other[1]) for price, other in zip(alone, more)]

    def pace(self, works: Sequence[Work]) -> tuple[Pace, list[Line]]:
        lines = [self.rank.decode_line(work.decodes, work.context_sum) for work in works]
        more = self._more([work.decodes for work in works])
        pace = _slowest(works, lines, [seconds for seconds, _ in more], self._least_s(works))
        return pace, [
            line._replace(base_bytes=line.base_bytes + moved) for line, (_, moved) in zip(lines, more)
        ]

    def _more(self, tokens: list[int]) -> list[tuple[float, float]]:
        """Seconds and bytes of each rank beyond those that it has when all have its work."""
        table, most = self.rank.tokens, max(tokens)
        if most <= table.largest:  # one graph for all, of the size of the largest batch
            wide, own = self._by_tokens(most), [self._by_tokens(count) for count in tokens]
            return [(wide[0] - each[0], wide[2] - each[2]) for each in own]
        together = table.shared(-(-sum(tokens) // len(tokens)), most)
        shared = [table.shared(count, count) for count in tokens]
        return [(together[0] - each[0], together[2] - each[2]) for each in shared]

    def _by_tokens(self, count: int) -> tuple[float, float, float]:
        return self.rank.tokens.by_tokens.get(count) or self.rank.tokens.fill(count)

    def _least_s(self, works: Sequence[Work]) -> float:
        """No step without a graph is shorter: the host launches its kernels one by one."""
        largest = max(works, key=tokens_of)
        return self.rank.least_s(largest) if tokens_of(largest) > self.rank.tokens.largest else 0.0


def tokens_of(work: Work) -> int:
    return work.decodes + sum(size for size, _ in work.chunks)


def _slowest(works: Sequence[Work], lines: Sequence[Line], more_s: Sequence[float], least_s: float) -> Pace:
    """more_s: seconds of each rank's step beside its line; least_s: of any step."""
    now = [
        (line.base_s + more + line.per_token_s * work.context_sum, _growth(work, line), rank)
        for rank, (work, line, more) in enumerate(zip(works, lines, more_s))
    ]
    slowest, growth, rank = max(*now, (least_s, 0.0, -1), key=lambda found: found[:2])
    bounds = [
        (min(line.until_tokens, MANY) - work.context_sum) // work.decodes
        for work, line in zip(works, lines)
        if work is not DUMMY
    ]
    bounds += [(slowest - seconds) // (faster - growth) for seconds, faster, _ in now if faster > growth]
    steps = max(int(min(*bounds, MANY)) + 1, 1)
    if not growth:
        return Pace(slowest, 0.0, 0, 0, steps)
    line, work = lines[rank], works[rank]
    return Pace(line.base_s + more_s[rank], line.per_token_s, work.decodes, work.context_sum, max(steps, 1))


def _growth(work: Work, line: Line) -> float:
    """Seconds by which a rank's step is longer than the one before; a dummy batch's context stays."""
    return 0.0 if work is DUMMY else line.per_token_s * work.decodes
