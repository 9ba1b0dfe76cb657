"""What each quantisation changes in each phase, on one accelerator and layout."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simulator.catalog import Accelerator
from simulator.cost import precision, shape
from simulator.scenario.resolve import DTYPES
from simulator.scenario.resolved import ModelSpec
from simulator.study.roofline.replica import Replica, Settings, fits, layouts
from simulator.study.roofline.replica import replica as make
from simulator.study.roofline.steps import Point, Step, decode, prefill


@dataclass(frozen=True, slots=True)
class Gain:
    """A phase's time without quantisation over that with it."""

    ideal: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Format:
    """A quantisation; runs: "" or why the accelerator cannot; needs: the smallest tensor-parallel size that
    the weights fit, None if none does; room: sequences of the study's context at this layout."""

    name: str
    weights: str
    activations: str
    runs: str
    weight_bytes: float
    fits: bool
    needs: int | None
    room: int
    prefill: Gain | None
    decode: Gain | None
    decode_full: Gain | None


def formats(
    model: ModelSpec, accelerator: Accelerator, size: int, settings: Settings, at: Point
) -> list[Format]:
    """One for each quantisation, against none at the same layout, whether that fits or not."""
    base = _steps(make(quantised(model, "none"), accelerator, size, settings), at)
    found = []
    for name in DTYPES:
        spec = quantised(model, name)
        problems = precision.problems(spec, accelerator)
        if problems:
            found.append(_barred(spec, problems[0].what))
        else:
            found.append(_format(make(spec, accelerator, size, settings), settings, base, at))
    return found


def quantised(model: ModelSpec, name: str) -> ModelSpec:
    """The model under another quantisation, its KV cache as before."""
    weights, activations = DTYPES[name]
    return replace(model, quantization=name, weight_dtype=weights, activation_dtype=activations)


WEIGHT_ONLY = {"fp8": "w8a16", "fp8_block": "w8a16", "int8": "w8a16", "fp4": "int4"}


def servable(model: ModelSpec, accelerator: Accelerator) -> ModelSpec:
    """The model as engines serve it on an accelerator without that arithmetic: narrow weights, widened before
    they are multiplied."""
    if not precision.problems(model, accelerator) or model.quantization not in WEIGHT_ONLY:
        return model
    return quantised(model, WEIGHT_ONLY[model.quantization])


def _barred(spec: ModelSpec, why: str) -> Format:
    weights, activations = spec.weight_dtype, spec.activation_dtype
    size = shape.weight_bytes(spec.shape, weights)
    return Format(spec.quantization, weights, activations, why, size, False, None, 0, None, None, None)


def _format(found: Replica, settings: Settings, base: tuple[Step, ...], at: Point) -> Format:
    spec = found.model
    gains = [
        Gain(before.ideal_s / after.ideal_s, before.seconds / after.seconds)
        for before, after in zip(base, _steps(found, at))
    ]
    return Format(
        spec.quantization,
        spec.weight_dtype,
        spec.activation_dtype,
        "",
        shape.weight_bytes(spec.shape, spec.weight_dtype),
        fits(found),
        next((option.gpus for option in layouts(spec, found.accelerator, settings)), None),
        max(0, found.holds(at.context)),
        *gains,
    )


def _steps(found: Replica, at: Point) -> tuple[Step, ...]:
    alone, full = decode(found, 1, at.context), decode(found, at.batch, at.context)
    return prefill(found, at.prompt), alone, full
