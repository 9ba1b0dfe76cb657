"""What a run says, as one document: metrics with their intervals, warm-up, saturation, checks, provenance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from simulator import __version__
from simulator.results import confidence as ci
from simulator.results import saturation
from simulator.results.amounts import ratio
from simulator.results.columns import codes
from simulator.results.intervals import mean, metrics, study
from simulator.results.metrics import WORK
from simulator.results.record import STATES
from simulator.results.run import RunResult
from simulator.results.sample import Sample, View, views
from simulator.results.verdict import judge

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Warmup:
    """What is left out of the metrics: requests sent before cut_s. short: MSER-5 found no trustworthy cut."""

    method: str
    cut_s: float
    dropped: int
    short: bool


def summarise(run: RunResult) -> dict[str, Any]:
    """The document that summary.json holds. Plain values; None where a figure does not exist."""
    replications = list(views(run))
    queue = saturated(run, replications)
    warmup = warm_up(run, replications, queue["saturated"])
    studied = study(replications, warmup.cut_s, run.scenario.run.confidence)
    document = {
        "schema": SCHEMA,
        "scenario": {"name": run.scenario.name, "hash": run.scenario.hash, "seed": run.scenario.seed},
        "versions": {"sim": __version__, "numpy": np.__version__},
        "engines": {
            pool.name: f"{pool.engine.preset} ({pool.engine.version})" for pool in run.scenario.fleet.pools
        },
        "model": _model(run),
        "complete": run.complete,
        "replications": run.replications,
        "confidence": run.scenario.run.confidence,
        "requests": counts(run),
        "warmup": asdict(warmup),
        "saturation": queue,
        "slo": objectives(run, studied.samples),
        "metrics": metrics(studied, _refusal(queue)),
        "pools": pools(run, replications, warmup.cut_s),
        "replicas": [asdict(replica) for replica in run.replicas],
        "counters": dict(sorted(run.counters.items())),
        "checks": list(run.checks),
        "provenance": run.provenance,
    }
    cleaned: dict[str, Any] = clean(document)
    return cleaned | {"verdict": judge(cleaned)}


def _refusal(queue: dict[str, Any]) -> str:
    """Why latencies are not given: empty unless the queue grows."""
    if not queue["saturated"]:
        return ""
    rates = f"{queue['offered_per_s']:.4g} requests/s arrive, {queue['served_per_s']:.4g} are served"
    return f"{queue['reason']}: {rates}"


def _model(run: RunResult) -> dict[str, str]:
    model = run.scenario.model
    return {"name": model.shape.name, "weights": model.weight_dtype, "kv_cache": model.kv_dtype}


def counts(run: RunResult) -> dict[str, int]:
    """Requests by how they ended."""
    numbers = np.bincount(codes(run.requests["state"], STATES), minlength=len(STATES))
    return {"all": len(run.requests), **dict(zip(STATES, numbers.tolist(), strict=True))}


def warm_up(run: RunResult, replications: Sequence[View], growing: bool | None) -> Warmup:
    """Of several replications the longest warm-up counts for all; a growing queue never gets warm."""
    given = run.scenario.run.warmup_s
    if given is not None:
        starts = [float(view.requests["sent_s"].min(initial=math.inf)) for view in replications]
        cut = min(starts, default=0.0) + given if given else 0.0
        return Warmup("given", cut, _before(replications, cut), False)
    if growing:
        return Warmup("none: the queue grows", 0.0, 0, False)
    found = [_mser(view) for view in replications]
    cut = max((cut for cut, _ in found), default=0.0)
    return Warmup("MSER-5", cut, _before(replications, cut), any(short for _, short in found))


def _mser(view: View) -> tuple[float, bool]:
    """Where the warm-up ends: the later of those of TTFT and TPOT, as series in the order of sending."""
    cut, short = 0.0, False
    for name in ("ttft_s", "tpot_s"):
        known = np.flatnonzero(~np.isnan(view.requests[name]))
        found = ci.mser5(view.requests[name][known])
        if found.dropped:
            cut = max(cut, float(view.requests["sent_s"][known[found.dropped]]))
        short |= found.short
    return cut, short


def _before(replications: Sequence[View], cut: float) -> int:
    return sum(int(np.searchsorted(view.requests["sent_s"], cut)) for view in replications)


def saturated(run: RunResult, replications: Sequence[View]) -> dict[str, Any]:
    """The saturation check of the first replication that fails it, or of the first."""
    found = [
        saturation.check(
            view.requests["sent_s"],
            view.requests["finish_s"],
            view.requests["prefill_s"] + view.requests["decode_s"],
            run.scenario.run.confidence,
        )
        for view in replications
    ]
    return asdict(next((result for result in found if result.saturated), found[0]))


def objectives(run: RunResult, samples: Sequence[Sample]) -> dict[str, Any] | None:
    """The SLO's bounds, and the share of requests that keeps each; None without an SLO."""
    slo = run.scenario.slo
    if slo is None:
        return None
    bounds = {name: getattr(slo, name) for name in ("ttft_s", "tpot_s", "itl_s", "e2e_s")}
    asked = {name: bound for name, bound in bounds.items() if bound is not None}
    kept = {name: mean([_kept(sample, name, bound) for sample in samples]) for name, bound in asked.items()}
    return {"attainment": slo.attainment, "bounds": asked, "kept": kept}


def _kept(sample: Sample, name: str, bound: float) -> float:
    if name == "itl_s":
        gaps = sample.gaps
        return (
            math.nan
            if gaps is None
            else ratio(float(gaps.weights[gaps.seconds <= bound].sum()), gaps.count())
        )
    values = sample.requests[name]
    meets = sample.finished & ((values <= bound) | (np.isnan(values) & (name == "tpot_s")))
    return ratio(float(meets.sum()), float(sample.counted.sum()))


def pools(run: RunResult, replications: Sequence[View], cut: float) -> dict[str, Any]:
    """What the replicas of each pool did, from the cut on."""
    document: dict[str, Any] = {}
    for spec in run.scenario.fleet.pools:
        samples = [view.sample(cut, pool=spec.name) for view in replications]
        figures = {metric.name: mean([metric.value(sample) for sample in samples]) for metric in WORK}
        document[spec.name] = {
            "replicas": samples[0].hardware.replicas,
            "accelerator": spec.accelerator.name,
            "accelerators": samples[0].hardware.accelerators,
            "max_num_seqs": spec.engine.max_num_seqs,
            **figures,
        }
    return document


def clean(value: Any) -> Any:
    """NaN and infinities as None, tuples as lists: what JSON can hold."""
    if isinstance(value, dict):
        return {key: clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
