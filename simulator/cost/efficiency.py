"""Which fit prices an op on an accelerator, and the price: seconds, what bounds it, and where the figure
comes from."""

from __future__ import annotations

from dataclasses import dataclass
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

    kind: fitted (to this accelerator) or assumed (another's); source says whose and its error in per cent.
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

    def seconds(self, op: Op) -> float:
        compute, memory = op.flops * self.s_per_flop, op.bytes * self.s_per_byte
        if self.p == 1.0:
            busy = compute + memory
        elif self.p == 2.0:
            busy = (compute * compute + memory * memory) ** 0.5
        else:
            busy = (compute**self.p + memory**self.p) ** (1.0 / self.p)
        return float(busy + self.t0_s + self.tail_s * op.lead)

    def bound(self, op: Op) -> str:
        """What takes most of the op's time: compute, memory or overhead."""
        compute, memory = op.flops * self.s_per_flop, op.bytes * self.s_per_byte
        fixed = self.t0_s + self.tail_s * op.lead
        if fixed > max(compute, memory):
            return "overhead"
        return "compute" if compute > memory else "memory"


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
    dtype)."""
    fit = find(op, relatives(accelerator), dtype, kv_dtype=kv_dtype, head_dim=head_dim, backends=backends)
    flops_per_s = peak_flops(accelerator, peak or dtype)
    memory = min(fit.eff_memory, settings("fits")["max_eff_memory"])
    own = fit.accelerator == accelerator.name and fit.dtype == dtype
    median, p90 = (fit.median_pct, fit.p90_pct) if own else _transfer(accelerator, fit)
    return Rate(
        1.0 / (fit.eff_compute * flops_per_s),
        1.0 / (memory * accelerator.hbm_bytes_per_s),
        fit.p,
        fit.t0_s,
        fit.tail_s,
        "fitted" if own else "assumed",
        _source(fit, own, median, p90),
        median,
        p90,
    )


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


def _source(fit: fits.Fit, own: bool, median: float, p90: float) -> str:
    whose = f"{fit.accelerator} {fit.backend} {fit.version} {fit.dtype}"
    return f"{'fitted' if own else 'assumed: fit of'} {whose}, error {median:g} % (p90 {p90:g} %)"


def link_rate(kind: str, accelerator: Accelerator, gpus: int, bytes_per_s: float | None = None) -> LinkRate:
    """The rate of a collective among `gpus` accelerators over the scale-up link, or one of `bytes_per_s`."""
    fit = _nearest_collective(kind, _link_relatives(accelerator), gpus)
    link = bytes_per_s or link_bytes_per_s(accelerator, gpus)
    share = (gpus - 1) / gpus
    f1, f2 = (gpus - 1.0, 2.0 * share) if kind == "all_reduce" else (share, share)
    own = fit.accelerator == accelerator.name and fit.gpus == gpus and bytes_per_s is None
    source = f"{'fitted' if own else 'assumed: fit of'} {fit.accelerator} {fit.kernel} {fit.gpus} GPUs"
    return LinkRate(
        fit.alpha1_s,
        f1 / (fit.eff1 * link),
        fit.alpha2_s,
        f2 / (fit.eff2 * link),
        "fitted" if own else "assumed",
        f"{source}, error {fit.median_pct:g} % (p90 {fit.p90_pct:g} %)",
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
