"""Seconds of each op of a plan: the fit for every kind of kernel that the model runs, looked up once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

from simulator.catalog import Accelerator
from simulator.catalog.pool import COLUMNS
from simulator.cost import efficiency, precision, shape
from simulator.cost.curves import Curves
from simulator.cost.efficiency import LinkRate, Rate
from simulator.cost.layout import Counted, Plan
from simulator.cost.ops import Op

ELEMENTWISE = {
    "norm": "elementwise:input_layernorm",
    "rope": "elementwise:attn_rope",
    "activation": "elementwise:mlp_act",
}


SLOW_EXPERTS = (("vllm", "fp8", "h100-sxm"), ("vllm", "fp8", "h200-sxm"))
"""Backend, dtype and accelerator of kernels that say little about the hardware."""

UNMEASURED = {
    "recurrence": ("bf16", "linear attention"),
    "index_prefill": ("fp8", "an indexer"),
    "index_decode": ("fp8", "an indexer"),
}


class Pricer(Protocol):
    """What turns an op into seconds."""

    @property
    def kind(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def median_pct(self) -> float: ...

    @property
    def p90_pct(self) -> float: ...

    def seconds(self, op: Op) -> float: ...

    def bound(self, op: Op) -> str: ...


class Rates:
    """The rates of one plan, found when first asked for. pool: measured rows near an op scale its time;
    preset: the engine whose kernels they are, if they were measured.

    Rates are keyed by the op's kind, or its name where names differ.
    """

    def __init__(self, plan: Plan, pool: Path | None, preset: str = "vllm") -> None:
        self.plan = plan
        engine = preset.partition("-")[0]
        self._engines = tuple(sorted(efficiency.ENGINES, key=lambda name: name != engine))
        self._found: dict[str, Pricer] = {}
        self._curves = Curves(pool) if pool else None

    def of(self, op: Op) -> Pricer:
        key = op.name if op.name in ELEMENTWISE or op.name in ("lm_head", "router") else op.kind
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._find(key)
        return found

    def seconds(self, op: Op) -> float:
        return self.of(op).seconds(op) * self.factor(op)

    def factor(self, op: Op) -> float:
        """What measured rows near the op say about the formula; 1 without any, or uncorrected."""
        rate = self.of(op)
        if self._curves is None or not isinstance(rate, Rate) or rate.fit is None or rate.kind != "fitted":
            return 1.0
        return self._curves.factor(op, rate.fit) if op.kind in COLUMNS else 1.0

    def total(self, counted: list[Counted]) -> float:
        return sum(count * self.seconds(op) for op, count in counted)

    def used(self) -> dict[str, Pricer]:
        """The rates that were asked for, by key."""
        return dict(self._found)

    def _find(self, key: str) -> Pricer:
        accelerator, used = self.plan.accelerator, self.plan.precision
        if key in ELEMENTWISE:
            return efficiency.rate(ELEMENTWISE[key], accelerator, "fp16")
        if key in ("gemm", "lm_head", "router", "expansion"):
            return self._matrix(key)
        if key == "moe":
            return _moe_rate(accelerator, used.moe, used.peak, self._engines)
        if key in UNMEASURED:
            return _unmeasured(accelerator, *UNMEASURED[key])
        return self._attention(key) if key.startswith(("attention", "mla")) else self._link(key)

    def _matrix(self, key: str) -> Pricer:
        """Output matrix and router stay bf16; expanding latents again is so large that compute bounds it."""
        used = self.plan.precision if key in ("gemm", "expansion") else precision.BF16
        backends = _backends(used.gemm, self._engines)
        found = efficiency.rate("gemm", self.plan.accelerator, used.gemm, peak=used.peak, backends=backends)
        if key != "expansion":
            return found
        return replace(found, p=1.0, s_per_byte=0.0, t0_s=0.0, tail_s=0.0, row_tile=0, s_per_narrowed=0.0)

    def _attention(self, key: str) -> Pricer:
        model = self.plan.model
        kv = "fp8" if self.plan.kv_dtype in ("fp8", "int8") else "bf16"
        backends = ("trtllm", "sglang") if key.startswith("mla") else self._engines
        dim = shape.heads(model, next(iter(shape.kinds(model))), 1).qk_dim
        return efficiency.rate(
            key, self.plan.accelerator, "bf16", kv_dtype=kv, head_dim=dim, backends=backends
        )

    def _link(self, kind: str) -> LinkRate:
        accelerator, gpus = self.plan.accelerator, self.plan.tp
        if kind == "send":
            return _send_rate(accelerator)
        return efficiency.link_rate(kind, accelerator, gpus if kind != "alltoall" else self.plan.expert_ranks)


def _backends(gemm: str, engines: tuple[str, ...]) -> tuple[str, ...]:
    """vLLM's fp8_block rows hold the host's launch time, which a CUDA graph hides: others do without it."""
    if gemm != "fp8_block":
        return engines
    return ("trtllm", "sglang") if engines[0] == "trtllm" else ("sglang", "trtllm")


def _moe_rate(accelerator: Accelerator, form: str, peak: str, engines: tuple[str, ...]) -> Rate:
    """On Hopper vLLM's per-tensor fp8 kernel that was measured reaches a fifth of TensorRT-LLM's, and of all
    other formats there: a kernel, not hardware, so nobody borrows it, nor is it taken itself."""
    found = efficiency.rate("moe", accelerator, form, peak=peak, backends=engines)
    fit = found.fit
    if fit is None or (fit.backend, fit.dtype, fit.accelerator) not in SLOW_EXPERTS:
        return found
    return efficiency.rate("moe", accelerator, form, peak=peak, backends=("trtllm",))


def _unmeasured(accelerator: Accelerator, dtype: str, name: str) -> Rate:
    """A kernel that no public table has: half of each peak, and the launch time of an attention kernel."""
    peak = dtype if dtype in accelerator.peak_flops else "bf16"
    return Rate(
        2.0 / efficiency.peak_flops(accelerator, peak),
        2.0 / accelerator.hbm_bytes_per_s,
        1.0,
        10e-6,
        0.0,
        "assumed",
        f"assumed: half of both peaks, 10 us a kernel; {name} was not measured",
        100.0,
        100.0,
    )


def _send_rate(accelerator: Accelerator) -> LinkRate:
    """Stages of a pipeline hand over point to point."""
    per_byte = 1.0 / (0.7 * accelerator.scaleup_bytes_per_s)
    source = "assumed: 70 % of one direction of the link, 10 us"
    return LinkRate(10e-6, per_byte, 10e-6, per_byte, "assumed", source, 50.0, 50.0)
