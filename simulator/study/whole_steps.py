"""Whole decode steps against public reports of served models: the time per output token that users
measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from simulator.catalog import load
from simulator.cost.roofline import build
from simulator.cost.work import Work
from simulator.scenario.engine_args import engine_args
from simulator.scenario.resolve import DTYPES
from simulator.scenario.resolved import Layout, ModelSpec
from simulator.scenario.schema import EngineSection

INFERENCE_SIM = "inference-sim/training ed5c1d26 (vLLM 0.15.1, February 2026)"
VLLM_6913 = "vllm-project/vllm issue 6913 (vLLM V0, July 2024)"


class Report(NamedTuple):
    """Milliseconds per output token on `gpus` H100 SXM. sequences: decoding at once, on average; context:
    mean prompt and half the output, tokens (assumed 512 where a report gives none)."""

    source: str
    model: str
    quantization: str
    gpus: int
    sequences: int
    context: int
    tpot_ms: float
    planner: str = "vllm_v1"


REPORTS = (
    Report(INFERENCE_SIM, "llama-2-7b", "none", 1, 9, 715, 7.26),
    Report(INFERENCE_SIM, "llama-2-7b", "none", 1, 16, 699, 8.22),
    Report(INFERENCE_SIM, "llama-2-7b", "none", 1, 22, 715, 8.89),
    Report(INFERENCE_SIM, "llama-2-7b", "none", 1, 83, 699, 16.62),
    Report(INFERENCE_SIM, "codellama-34b", "none", 2, 18, 717, 14.50),
    Report(INFERENCE_SIM, "codellama-34b", "none", 2, 30, 698, 14.77),
    Report(INFERENCE_SIM, "codellama-34b", "none", 2, 38, 717, 15.17),
    Report(INFERENCE_SIM, "codellama-34b", "none", 2, 85, 698, 17.00),
    Report(INFERENCE_SIM, "mixtral-8x7b", "none", 2, 28, 908, 18.50),
    Report(INFERENCE_SIM, "mixtral-8x7b", "none", 2, 38, 695, 19.16),
    Report(INFERENCE_SIM, "mixtral-8x7b", "none", 2, 103, 695, 20.51),
    Report(INFERENCE_SIM, "llama-2-70b", "none", 4, 27, 913, 18.03),
    Report(VLLM_6913, "llama-3.1-70b", "fp8", 4, 1, 512, 19.0, "vllm_v0"),
    Report(VLLM_6913, "llama-3.1-70b", "fp8", 4, 32, 512, 25.0, "vllm_v0"),
)


class Comparison(NamedTuple):
    """Predicted milliseconds of the step: by formula and corrected; overhead_ms: the part that is no
    kernel."""

    report: Report
    formula_ms: float
    corrected_ms: float
    overhead_ms: float


def compare() -> Iterator[Comparison]:
    """Every report, priced as one pure decode step."""
    for report in REPORTS:
        formula, overhead = _step_ms(report, "none")
        corrected, _ = _step_ms(report, "measured")
        yield Comparison(report, formula, corrected, overhead)


def _step_ms(report: Report, correction: str) -> tuple[float, float]:
    shape, accelerator = load("models", report.model), load("accelerators", "h100-sxm")
    model = ModelSpec(shape, report.quantization, *DTYPES[report.quantization], "bf16")
    longest = min(4096, shape.max_position_embeddings)
    engine = engine_args(EngineSection(max_num_seqs=128), accelerator, longest, lambda *_: None)
    engine = replace(engine, planner=report.planner)
    cost = build(model, accelerator, Layout(report.gpus), engine, correction=correction)
    count = report.sequences
    work = Work(count, count * report.context, (), count)
    overhead = sum(op.seconds for op in cost.explain(work) if op.name == "engine")
    return cost.price(work).seconds * 1e3, overhead * 1e3
