"""All that a price needs to know of a step, and what a price is."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from simulator.units import on_grid


class Work(NamedTuple):
    """One engine step.

    decodes: requests that compute one token each; context_sum: keys that they read, tokens computed before +
    1 each; chunks: (tokens, tokens computed before) of each prefill chunk; samples: rows through the output
    head.
    """

    decodes: int
    context_sum: int
    chunks: tuple[tuple[int, int], ...]
    samples: int


class Price(NamedTuple):
    """What a step costs on one replica: seconds, floating-point operations, bytes moved (all ranks
    together)."""

    seconds: float
    flops: float
    bytes: float


class Line(NamedTuple):
    """A decode-only step as contexts grow: seconds = base_s + per_token_s · context_sum while context_sum ≤
    until_tokens.

    flops and bytes likewise, over the whole step.
    """

    base_s: float
    per_token_s: float
    until_tokens: float
    base_flops: float
    per_token_flops: float
    base_bytes: float
    per_token_bytes: float


class OpCost(NamedTuple):
    """One operation of a step: bound is "compute", "memory", "link" or "overhead"; source says where its
    time comes from."""

    name: str
    flops: float
    bytes: float
    seconds: float
    bound: str
    source: str


class CostModel(Protocol):
    """How long a step takes. `price` of a decode-only Work equals its `decode_line` at that context sum."""

    def price(self, work: Work) -> Price: ...

    def decode_line(self, decodes: int, context_sum: int) -> Line: ...

    def explain(self, work: Work) -> list[OpCost]: ...


def decodes_alone_s(cost: CostModel, work: Work) -> float:
    """How long a step of the work's decodes without its chunks would take: seconds, on the time grid."""
    line = cost.decode_line(work.decodes, work.context_sum)
    return on_grid(line.base_s + line.per_token_s * work.context_sum)
