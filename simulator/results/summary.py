"""What a run says, as one document: metrics with their intervals, warm-up, saturation, checks, provenance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from simulator import __version__
from simulator.results import precision as precise
from simulator.results import saturation
from simulator.results.amounts import ratio
from simulator.results.bottleneck import Bottleneck, bottleneck, full_time
from simulator.results.columns import codes
from simulator.results.intervals import mean, metrics, study
from simulator.results.metrics import WORK
from simulator.results.record import STATES
from simulator.results.run import RunResult
from simulator.results.sample import Sample, View, views
from simulator.results.verdict import judge
from simulator.results.warmup import SERIES, Course, warm_up
from simulator.scenario.resolved import PoolSpec

SCHEMA = 1


def summarise(run: RunResult) -> dict[str, Any]:
    """The document that summary.json holds. Plain values; None where a figure does not exist."""
    replications = list(views(run))
    queue = saturated(run, replications)
    warmup = warm_up([course(view) for view in replications], run.scenario.run.warmup_s, queue["saturated"])
    studied = study(replications, warmup.cut_s, run.scenario.run.confidence)
    figures = metrics(studied, _refusal(queue))
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
        "metrics": figures,
        "precision": precise.document(precise.precision(run.scenario.run, figures, run.replications)),
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


def course(view: View) -> Course:
    """What the warm-up is found from."""
    return Course(view.requests["sent_s"], {name: view.requests[name] for name in SERIES})


def saturated(run: RunResult, replications: Sequence[View]) -> dict[str, Any]:
    """The saturation check that speaks for all replications; replications_saturated: how many fail it."""
    found = [
        saturation.check(
            view.requests["sent_s"],
            view.requests["finish_s"],
            view.requests["prefill_s"] + view.requests["decode_s"],
            run.scenario.run.confidence,
        )
        for view in replications
    ]
    speaks, count = saturation.judged(found)
    return asdict(speaks) | {"replications_saturated": count}


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
            "limits": asdict(
                limits(run, spec, figures, [full_time(view, spec, cut) for view in replications])
            ),
        }
    return document


def limits(
    run: RunResult, spec: PoolSpec, figures: dict[str, Any], full: Sequence[dict[str, float]]
) -> Bottleneck:
    """What limits the pool, over all replications."""
    share = {name: mean([one[name] for one in full]) for name in full[0]}
    found = [one[spec.name] for one in run.limits]
    return bottleneck(spec, run.scenario.model, figures, share, found)


def clean(value: Any) -> Any:
    """NaN and infinities as None, tuples as lists: what JSON can hold."""
    if isinstance(value, dict):
        return {key: clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
