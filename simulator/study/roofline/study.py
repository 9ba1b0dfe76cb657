"""The whole study: what is asked, and every figure of the answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from simulator.catalog import Accelerator
from simulator.scenario.resolved import ModelSpec
from simulator.study.roofline import curve as curves
from simulator.study.roofline.curve import Curve
from simulator.study.roofline.formats import Format, formats
from simulator.study.roofline.hardware import Hardware, hardware
from simulator.study.roofline.prefills import Prefills, prefills
from simulator.study.roofline.replica import Replica, Settings, fitting, smallest
from simulator.study.roofline.roofs import Crossing, Roof, crossing, roof, roofs
from simulator.study.roofline.steps import Point, Step, decode, prefill
from simulator.study.roofline.traffic import Bill, Traffic, bills

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. accelerators: the first one is looked at closely; size: tensor-parallel size, None: the
    smallest that fits; batches: of decodes, ascending, (): BATCHES and as many as the KV cache holds; tpot_s:
    bounds the batch of a traffic."""

    model: ModelSpec
    accelerators: tuple[Accelerator, ...]
    size: int | None
    prompt: int
    context: int
    batches: tuple[int, ...] = ()
    traffic: Traffic | None = None
    tpot_s: float | None = None
    correction: str = "measured"
    utilization: float | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """The replica that is looked at closely. Bytes of one accelerator, tokens of the replica."""

    model: str
    quantization: str
    weights: str
    activations: str
    kv_cache: str
    accelerator: str
    gpus: int
    engine: str
    weight_bytes: float
    working_bytes: float
    kv_bytes: float
    requested_bytes: float
    kv_bytes_per_token: float
    kv_tokens: int
    correction: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Seconds a token of a decode alone over those of a prefill, by the cost model and at the datasheet's
    figures; ridge: what the latter tends to for a long prompt and short context in 16 bits."""

    ideal: float
    seconds: float
    ridge: float


@dataclass(frozen=True, slots=True)
class Answer:
    """roof: of the layers' dtype; full: the largest of the batches that the KV cache holds; provenance: of
    the cost model, as it tells it itself."""

    fit: Fit
    roof: Roof
    roofs: tuple[Roof, ...]
    crossing: Crossing
    prefill: Step
    alone: Step
    full: Step
    curve: Curve
    prefills: Prefills
    gap: Gap
    formats: tuple[Format, ...]
    hardware: tuple[Hardware, ...]
    traffic: dict[str, Any] | None
    bills: tuple[Bill, ...]
    no_bill: dict[str, str]
    provenance: dict[str, Any]


def answer(question: Question) -> Answer:
    """Raises InputError where the first accelerator cannot serve the model so; others say why they can't."""
    settings = Settings(longest(question), question.correction, question.utilization)
    found = chosen(question, settings)
    batches = question.batches or _batches(found, question.context)
    curve = curves.curve(found, batches, question.context)
    at = Point(question.prompt, _full(curve), question.context)
    paid, reasons = _bills(question, settings)
    alone, first = decode(found, 1, at.context), prefill(found, at.prompt)
    return Answer(
        _fit(found, question),
        roof(found.accelerator, found.cost.plan.precision.peak),
        tuple(each for accelerator in question.accelerators for each in roofs(accelerator)),
        crossing(found),
        first,
        alone,
        decode(found, at.batch, at.context),
        curve,
        prefills(found, at.prompt),
        _gap(found, first, alone),
        tuple(formats(found.model, found.accelerator, found.gpus, settings, at)),
        tuple(
            hardware(each, found.model, settings, at, _size(question, each)) for each in question.accelerators
        ),
        _traffic(question.traffic),
        tuple(paid),
        reasons,
        found.cost.provenance,
    )


def longest(question: Question) -> int:
    """Tokens of the longest sequence that the question has."""
    traffic = question.traffic
    pairs = zip(traffic.prompts, traffic.outputs) if traffic else ()
    return max(question.prompt, question.context, *(p + o for p, o in pairs))


def chosen(question: Question, settings: Settings) -> Replica:
    model, accelerator = question.model, question.accelerators[0]
    if question.size is None:
        return smallest(model, accelerator, settings, f"--accelerator {accelerator.name}")
    where = f"--tensor-parallel-size {question.size}"
    return fitting(model, accelerator, question.size, settings, where)


def _size(question: Question, accelerator: Accelerator) -> int | None:
    """A given size holds for the first accelerator only: others may need fewer or more."""
    return question.size if accelerator == question.accelerators[0] else None


def _batches(found: Replica, context: int) -> tuple[int, ...]:
    room = found.holds(context)
    also = {room} if 1 <= room <= BATCHES[-1] else set()
    return tuple(sorted({*BATCHES, *also}))


def _full(curve: Curve) -> int:
    """The largest batch of the curve that the KV cache holds; 1 if it holds none."""
    return max((row.step.sequences for row in curve.rows if row.held), default=1)


def _bills(question: Question, settings: Settings) -> tuple[list[Bill], dict[str, str]]:
    if question.traffic is None:
        return [], {}
    return bills(
        question.model,
        question.accelerators,
        question.traffic,
        settings,
        size=question.size if len(question.accelerators) == 1 else None,
        tpot_s=question.tpot_s,
    )


def _traffic(traffic: Traffic | None) -> dict[str, Any] | None:
    if traffic is None:
        return None
    return {
        "source": traffic.source,
        "requests": len(traffic.prompts),
        "prompt_tokens": traffic.prompt,
        "output_tokens": traffic.output,
        "context": traffic.context,
        "repeated_share": traffic.repeated,
    }


def _gap(found: Replica, first: Step, alone: Step) -> Gap:
    each, each_ideal = first.seconds / first.tokens, first.ideal_s / first.tokens
    return Gap(alone.ideal_s / each_ideal, alone.seconds / each, roof(found.accelerator, "bf16").ridge)


def _fit(found: Replica, question: Question) -> Fit:
    model, memory, engine = found.model, found.memory, found.cost.engine
    return Fit(
        model.shape.name,
        model.quantization,
        model.weight_dtype,
        model.activation_dtype,
        model.kv_dtype,
        found.accelerator.name,
        found.gpus,
        engine.preset,
        memory.weight_bytes,
        memory.activation_bytes + memory.graph_bytes + memory.non_framework_bytes,
        memory.kv_bytes,
        memory.requested_bytes,
        memory.kv_bytes_per_token,
        memory.kv_tokens,
        question.correction,
    )


def document(found: Answer) -> dict[str, Any]:
    """The answer as plain values, for JSON."""
    return asdict(found)
