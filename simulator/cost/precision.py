"""What a quantisation changes: bytes of weights and activations, and the peak that the arithmetic runs at."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.catalog import Accelerator
from simulator.cost.shape import WEIGHT_BYTES
from simulator.errors import Problem
from simulator.scenario.resolved import ModelSpec

NAMES = {"bf16": "none", "fp8": "fp8", "int8": "int8", "int4": "int4", "fp4": "fp4"}


@dataclass(frozen=True, slots=True)
class Precision:
    """Of the linear layers. gemm, moe: the format of their fits; peak: the dtype of the arithmetic; weight,
    activation: bytes an element."""

    gemm: str
    moe: str
    peak: str
    weight: float
    activation: float


BF16 = Precision("bf16", "bf16", "bf16", 2.0, 2.0)


def of(model: ModelSpec) -> Precision:
    """Weights and activations of one width are multiplied as they are; narrower weights are widened first."""
    weight, activation = model.weight_dtype, model.activation_dtype
    each = WEIGHT_BYTES[weight]
    if weight == "bf16":
        return BF16
    if weight != activation:
        return Precision("bf16", "int4_wo" if weight in ("int4", "fp4") else "bf16", "bf16", each, 2.0)
    if model.quantization == "fp8_block":
        return Precision("fp8_block", "fp8_block", "fp8", each, 1.0)
    if weight == "int8":
        return Precision("int8", "int8", "int8", each, 1.0)
    return Precision(weight, weight, weight, each, each)


def problems(model: ModelSpec, accelerator: Accelerator, where: str = "") -> list[Problem]:
    """A quantisation whose arithmetic the accelerator lacks, with those that it has."""
    peak = of(model).peak
    if peak in accelerator.peak_flops or (peak == "bf16" and "fp16" in accelerator.peak_flops):
        return []
    allowed = [
        "none",
        "w8a16",
        "int4",
        *(name for name in ("fp8", "int8", "fp4") if name in accelerator.peak_flops),
    ]
    hint = (
        "w8a16 keeps 8-bit weights and computes in 16 bits"
        if peak in ("fp8", "int8")
        else "int4 keeps 4-bit weights"
    )
    what = f"{accelerator.name} has no {peak} arithmetic, which quantization {model.quantization!r} needs"
    return [Problem(where, what, ", ".join(allowed), hint)]
