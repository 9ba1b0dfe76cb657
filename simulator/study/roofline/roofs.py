"""An accelerator's roof by dtype: as its datasheet has it, and as its matrix kernels reach it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulator.catalog import Accelerator
from simulator.cost import efficiency
from simulator.cost.efficiency import Rate
from simulator.cost.layout import token_ops
from simulator.study.roofline.replica import Replica

DTYPES = ("bf16", "fp16", "fp8", "int8", "fp4")
MOST_TOKENS = 1 << 20


@dataclass(frozen=True, slots=True)
class Roof:
    """Of one accelerator and dtype. flops_per_s: dense; ridge: FLOP a byte at which both ceilings meet;
    reached_…: by large matrix products, as fitted; kind, source, median_pct: of that fit."""

    accelerator: str
    dtype: str
    flops_per_s: float
    bytes_per_s: float
    ridge: float
    reached_flops_per_s: float
    reached_bytes_per_s: float
    reached_ridge: float
    kind: str
    source: str
    median_pct: float

    def attainable(self, intensity: float) -> float:
        """FLOP/s that the datasheet allows at an intensity."""
        return min(self.flops_per_s, self.bytes_per_s * intensity)

    def reached(self, intensity: float) -> float:
        """FLOP/s of a kernel so large that its fixed cost does not count: time is the root of the squares
        of computing and moving alone."""
        compute, memory = self.reached_flops_per_s, self.reached_bytes_per_s * intensity
        return 1.0 / math.hypot(1.0 / compute, 1.0 / memory)


def roofs(accelerator: Accelerator) -> list[Roof]:
    """One for each dtype that the accelerator computes in; fp16 only where bf16 is missing."""
    peaks = accelerator.peak_flops
    names = [dtype for dtype in DTYPES if dtype in peaks and (dtype != "fp16" or "bf16" not in peaks)]
    return [roof(accelerator, dtype) for dtype in names]


def roof(accelerator: Accelerator, dtype: str) -> Roof:
    """Raises KeyError for a dtype that the accelerator cannot compute in."""
    peak, bandwidth = efficiency.peak_flops(accelerator, dtype), accelerator.hbm_bytes_per_s
    rate = efficiency.rate("gemm", accelerator, dtype)
    compute, memory = 1.0 / rate.s_per_flop, 1.0 / rate.s_per_byte
    return Roof(
        accelerator.name,
        dtype,
        peak,
        bandwidth,
        peak / bandwidth,
        compute,
        memory,
        compute / memory,
        rate.kind,
        rate.source,
        rate.median_pct,
    )


@dataclass(frozen=True, slots=True)
class Crossing:
    """Tokens of a step from which the layers' matrices are bound by compute; None: not up to 2²⁰ tokens."""

    ideal_tokens: int | None
    reached_tokens: int | None


def crossing(replica: Replica) -> Crossing:
    """The same number for a prefill's chunk and for a decode's batch: matrices don't know the difference."""
    return Crossing(*(_first(replica, reached) for reached in (False, True)))


def _first(replica: Replica, reached: bool) -> int | None:
    low, high = 0, MOST_TOKENS
    if not _compute_bound(replica, high, reached):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _compute_bound(replica, middle, reached) else (middle, high)
    return high


def _compute_bound(replica: Replica, tokens: int, reached: bool) -> bool:
    """Whether arithmetic takes longer than moving, over all matrices of all layers."""
    plan = replica.cost.plan
    peak = efficiency.peak_flops(plan.accelerator, plan.precision.peak)
    compute = memory = 0.0
    for op, count in token_ops(plan, tokens):
        if op.kind not in ("gemm", "moe") or op.name == "router":
            continue
        rate = replica.cost.rates.of(op)
        assert isinstance(rate, Rate), rate
        bandwidth = plan.accelerator.hbm_bytes_per_s
        c, m = rate.parts(op) if reached else (op.flops / peak, op.bytes / bandwidth)
        compute, memory = compute + count * c, memory + count * m
    return compute >= memory
