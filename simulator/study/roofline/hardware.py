"""Accelerators side by side: what a dollar buys of each ceiling, and what a model gets out of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simulator.catalog import Accelerator
from simulator.cost import efficiency, precision
from simulator.errors import InputError
from simulator.scenario.resolved import ModelSpec
from simulator.study.roofline.formats import servable
from simulator.study.roofline.replica import Replica, Settings, fitting, smallest
from simulator.study.roofline.steps import Point, decode, prefill
from simulator.study.roofline.traffic import kind, reason


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second of one accelerator (a replica's over its accelerators), by the cost model and at the
    datasheet's figures. kv_tokens: of the replica."""

    quantization: str
    gpus: int
    kv_tokens: int
    prefill: float
    ideal_prefill: float
    decode: float
    ideal_decode: float
    decode_full: float
    ideal_decode_full: float
    full_fits: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Hardware:
    """Datasheet figures, each also over the price of an hour, and the model's speed, None where it cannot
    run: why says so. dtype: whose dense peak flops_per_s is."""

    accelerator: str
    price_usd_per_hour: float
    price_source: str
    dtype: str
    flops_per_s: float
    bytes_per_s: float
    hbm_bytes: float
    flops_per_s_per_usd_hour: float
    bytes_per_s_per_usd_hour: float
    hbm_bytes_per_usd_hour: float
    speed: Speed | None
    why: str


def datasheet(accelerator: Accelerator, dtype: str = "bf16") -> Hardware:
    """One accelerator without a model. dtype: whose peak is shown; fp16 where bf16 is missing."""
    shown = dtype if dtype in accelerator.peak_flops else "fp16"
    flops, hour = efficiency.peak_flops(accelerator, dtype), accelerator.price_usd_per_hour
    return Hardware(
        accelerator.name,
        hour,
        accelerator.sources.get("price_usd_per_hour", ""),
        shown,
        flops,
        accelerator.hbm_bytes_per_s,
        accelerator.hbm_bytes,
        flops / hour,
        accelerator.hbm_bytes_per_s / hour,
        accelerator.hbm_bytes / hour,
        None,
        "",
    )


def hardware(
    accelerator: Accelerator, model: ModelSpec, settings: Settings, at: Point, size: int | None = None
) -> Hardware:
    """One accelerator with a model. size: tensor-parallel size, None: the smallest that fits."""
    served = servable(model, accelerator)
    sheet = datasheet(accelerator, precision.of(served).peak)
    try:
        if size is None:
            found = smallest(served, accelerator, settings)
        else:
            found = fitting(served, accelerator, size, settings)
    except InputError as error:
        return replace(sheet, why=reason(error))
    return replace(sheet, speed=_speed(found, at))


def _speed(found: Replica, at: Point) -> Speed:
    first, alone = prefill(found, at.prompt), decode(found, 1, at.context)
    full, gpus = decode(found, at.batch, at.context), found.gpus
    return Speed(
        found.model.quantization,
        gpus,
        found.memory.kv_tokens,
        first.tokens_per_s / gpus,
        first.ideal_tokens_per_s / gpus,
        alone.tokens_per_s / gpus,
        alone.ideal_tokens_per_s / gpus,
        full.tokens_per_s / gpus,
        full.ideal_tokens_per_s / gpus,
        found.holds(at.context) >= at.batch,
        kind(found),
    )
