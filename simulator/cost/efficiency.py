"""Which fit prices an op on an accelerator, and the price: seconds, what bounds it, and where the figure
comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from simulator.catalog import Accelerator, entry, fits
from simulator.cost.ops import Op

ENGINES = ("vllm", "trtllm", "sglang", "vidur")
COLLECTIVE_BACKENDS = ("vllm", "nccl", "trtllm", "sglang")
# Formats without rows of their own take those of the format whose arithmetic they share.
STAND_INS = {
    "bf16": ("bf16", "fp16"),
    "fp16": ("fp16", "bf16"),
    "fp8": ("fp8",),
    "fp8_block": ("fp8_block", "fp8"),
    "int8": ("int8", "fp8", "bf16"),
    "fp4": ("fp4", "fp8"),
    "int4": ("int4", "int4_wo", "bf16"),
}


@dataclass(frozen=True, slots=True)
class Rate:
    """How long an op takes on one accelerator: s_per_flop and s_per_byte at the efficiencies reached.

    s_per_narrowed: seconds an element of a GEMM's activations to bring it to the GEMM's format;
    kind: fitted (to this accelerator) or assumed (another's); source says whose and its error in per cent;
    fit: the numbers behind it.
    """

    s_per_flop: float
    s_per_byte: float
    p: float
    t0_s: float
    tail_s: float
    kind: str
    source: str
    median_pct: float
    p90_pct: float
    row_tile: int = 0
    width_tile: int = 0
    s_per_narrowed: float = 0.0
    fit: fits.Fit | None = None

    def seconds(self, op: Op) -> float:
        compute, memory = self.parts(op)
        busy = compute + memory if self.p == 1.0 else (compute * compute + memory * memory) ** 0.5
        return float(busy + self.fixed_s(op))

    def bound(self, op: Op) -> str:
        """What takes most of the op's time: compute, memory or overhead."""
        compute, memory = self.parts(op)
        fixed = self.fixed_s(op)
        if fixed > max(compute, memory):
            return "overhead"
        return "compute" if compute > memory else "memory"

    def fixed_s(self, op: Op) -> float:
        """Seconds beside the roofline: launch, serial walk, narrowing of activations."""
        fixed = self.t0_s + self.tail_s * op.lead
        return fixed + self.s_per_narrowed * op.shape[0] * op.shape[2] if self.s_per_narrowed else fixed

    def parts(self, op: Op) -> tuple[float, float]:
        """Seconds of the op's arithmetic and of its memory traffic, each alone."""
        compute, memory = op.flops * self.s_per_flop, op.bytes * self.s_per_byte
        if self.row_tile:
            compute *= tiled_rows(op.shape[0], self.row_tile) / op.shape[0]
        if self.width_tile:
            stretch = -(-op.shape[2] // self.width_tile) * self.width_tile / op.shape[2]
            return compute * stretch, memory * stretch
        return compute, memory


def tiled_rows(rows: float, tile: int) -> float:
    """Rows that a GEMM computes for `rows`: small batches have tiles of 16, 64 and 128 rows."""
    if rows > tile / 2:
        return -(-rows // tile) * tile
    return 16.0 if rows <= 16 else 64.0 if rows <= 64 else 128.0


@dataclass(frozen=True, slots=True)
class LinkRate:
    """A collective among `gpus`: the faster of two algorithms, each a latency and seconds a byte."""

    alpha1_s: float
    s_per_byte1: float
    alpha2_s: float
    s_per_byte2: float
    kind: str
    source: str
    median_pct: float
    p90_pct: float

    def seconds(self, op: Op) -> float:
        return min(self.alpha1_s + op.bytes * self.s_per_byte1, self.alpha2_s + op.bytes * self.s_per_byte2)

    def bound(self, op: Op) -> str:
        return "link"


def settings(name: str) -> dict[str, Any]:
    """An entry of catalog/efficiency.yaml."""
    return entry("efficiency", name)


def relatives(accelerator: Accelerator) -> list[str]:
    """The accelerator itself, then those whose efficiencies it takes where it was not measured."""
    by_architecture = settings("relatives_by_architecture")
    chain = settings("relatives_by_name").get(accelerator.name, [])
    family = by_architecture.get(accelerator.architecture, by_architecture["other"])
    return list(dict.fromkeys([accelerator.name, *chain, *family]))


def rate(
    op: str,
    accelerator: Accelerator,
    dtype: str,
    *,
    kv_dtype: str = "",
    head_dim: int = 0,
    backends: tuple[str, ...] = ENGINES,
    peak: str = "",
) -> Rate:
    """The rate of `op`; dtype: the format of its fit; peak: the dtype whose peak it computes at (default:
    dtype). Weights and KV don't repeat within a step as operands do in a benchmark's loop, so what a fit
    reaches of the memory's bandwidth beyond `max_eff_memory` is not granted."""
    fit = find(op, relatives(accelerator), dtype, kv_dtype=kv_dtype, head_dim=head_dim, backends=backends)
    own = fit.accelerator == accelerator.name and fit.dtype == dtype
    found = of_fit(fit, accelerator, peak or dtype, settings("fits")["max_eff_memory"])
    if own:
        return found
    median, p90 = _transfer(accelerator, fit)
    source = f"assumed: fit of {_whose(fit)}, error {median:g} % (p90 {p90:g} %)"
    return replace(found, kind="assumed", source=source, median_pct=median, p90_pct=p90)


def of_fit(fit: fits.Fit, accelerator: Accelerator, peak: str, max_eff_memory: float = math.inf) -> Rate:
    """The rate that a fit gives with an accelerator's own peaks."""
    memory = min(fit.eff_memory, max_eff_memory)
    return Rate(
        1.0 / (fit.eff_compute * peak_flops(accelerator, peak)),
        1.0 / (memory * accelerator.hbm_bytes_per_s),
        fit.p,
        fit.t0_s,
        fit.tail_s,
        "fitted",
        f"fitted {_whose(fit)}, error {fit.median_pct:g} % (p90 {fit.p90_pct:g} %)",
        fit.median_pct,
        fit.p90_pct,
        fit.row_tile,
        fit.width_tile,
        narrowed_bytes(fit.dtype) / (fit.eff_quantize * accelerator.hbm_bytes_per_s)
        if fit.eff_quantize
        else 0.0,
        fit,
    )


def narrowed_bytes(dtype: str) -> float:
    """Bytes that narrowing one bf16 activation reads and writes."""
    return 2.0 + (0.5625 if dtype == "fp4" else 1.0)


def peak_flops(accelerator: Accelerator, dtype: str) -> float:
    """Dense FLOP/s of a dtype; parts without bf16 run bf16 models in fp16."""
    peaks = accelerator.peak_flops
    if dtype == "fp8_block":
        dtype = "fp8"
    return peaks[dtype] if dtype in peaks else peaks["fp16" if dtype == "bf16" else "bf16"]


def find(
    op: str, chain: list[str], dtype: str, *, kv_dtype: str, head_dim: int, backends: tuple[str, ...]
) -> fits.Fit:
    """The first fit: accelerator before format before backend; the nearest head size."""
    for name in chain:
        rows = fits.kernels().get((op, name), [])
        for wanted in STAND_INS.get(dtype, (dtype,)):
            for backend in backends:
                found = [row for row in rows if row.dtype == wanted and row.backend == backend]
                found = [row for row in found if not kv_dtype or row.kv_dtype == kv_dtype]
                if found:
                    return min(found, key=lambda row: abs(row.head_dim - head_dim))
    if kv_dtype not in ("", "bf16"):
        return find(op, chain, dtype, kv_dtype="bf16", head_dim=head_dim, backends=backends)
    raise LookupError(f"no fit of {op} {dtype} for any of {chain}")


def _transfer(accelerator: Accelerator, fit: fits.Fit) -> tuple[float, float]:
    table = settings("transfer")["same" if _same_architecture(accelerator, fit.accelerator) else "other"]
    median, p90 = table.get(fit.op.split(":")[0], (fit.median_pct, fit.p90_pct))
    return max(float(median), fit.median_pct), max(float(p90), fit.p90_pct)


def _same_architecture(accelerator: Accelerator, other: str) -> bool:
    return bool(entry("accelerators", other)["architecture"] == accelerator.architecture)


def _whose(fit: fits.Fit) -> str:
    return f"{fit.accelerator} {fit.backend} {fit.version} {fit.dtype}"


def link_rate(kind: str, accelerator: Accelerator, gpus: int, bytes_per_s: float | None = None) -> LinkRate:
    """The rate of a collective among `gpus` accelerators over the scale-up link, or one of `bytes_per_s`."""
    fit = _nearest_collective(kind, _link_relatives(accelerator), gpus)
    found = link_of(fit, accelerator, gpus, bytes_per_s)
    if fit.accelerator == accelerator.name and fit.gpus == gpus and bytes_per_s is None:
        return found
    return replace(found, kind="assumed", source=found.source.replace("fitted", "assumed: fit of", 1))


def link_of(
    fit: fits.CollectiveFit, accelerator: Accelerator, gpus: int = 0, bytes_per_s: float | None = None
) -> LinkRate:
    """The rate that a fit gives among `gpus` (default: the fit's) over an accelerator's own link."""
    count = gpus or fit.gpus
    link = bytes_per_s or link_bytes_per_s(accelerator, count)
    share = (count - 1) / count
    f1, f2 = (count - 1.0, 2.0 * share) if fit.collective == "all_reduce" else (share, share)
    return LinkRate(
        fit.alpha1_s,
        f1 / (fit.eff1 * link),
        fit.alpha2_s,
        f2 / (fit.eff2 * link),
        "fitted",
        f"fitted {fit.accelerator} {fit.kernel} {fit.gpus} GPUs, error {fit.median_pct:g} % "
        f"(p90 {fit.p90_pct:g} %)",
        fit.median_pct,
        fit.p90_pct,
    )


def link_bytes_per_s(accelerator: Accelerator, gpus: int) -> float:
    """One direction of one accelerator's scale-up link; in a mesh only the links to the peers in use
    count."""
    full = accelerator.scaleup_bytes_per_s
    if "mesh" in accelerator.scaleup_kind:
        return full * min(1.0, (gpus - 1) / (accelerator.scaleup_size - 1))
    return full


def _link_relatives(accelerator: Accelerator) -> list[str]:
    if accelerator.scaleup_kind.startswith("PCIe"):
        table = settings("relatives_on_pcie")
        return [accelerator.name, *table["pcie5" if accelerator.scaleup_bytes_per_s > 4e10 else "pcie4"]]
    return [*relatives(accelerator), "h100-sxm"]


def _nearest_collective(kind: str, chain: list[str], gpus: int) -> fits.CollectiveFit:
    """The first relative's fit for the nearest number of GPUs; graph-captured kernels where there are any."""
    for name in chain:
        rows = [row for row in fits.collectives().get((kind, name), []) if not row.kernel.endswith("_eager")]
        for backend in COLLECTIVE_BACKENDS:
            found = [row for row in rows if row.backend == backend]
            if found:
                return min(found, key=lambda row: (abs(row.gpus - gpus), row.gpus))
    raise LookupError(f"no fit of {kind} for any of {chain}")


@cache
def overheads() -> dict[str, Any]:
    return settings("overheads")
