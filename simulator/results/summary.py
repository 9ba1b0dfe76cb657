"""What a run says, as one document: metrics with their intervals, warm-up, saturation, checks, provenance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from simulator import __version__
from simulator.results import amounts as of
from simulator.results import precision as precise
from simulator.results import saturation
from simulator.results.columns import codes
from simulator.results.curves import curves
from simulator.results.curves import document as distributions
from simulator.results.intervals import metrics, study
from simulator.results.pools import PoolReading, pools, read_pools
from simulator.results.record import STATES
from simulator.results.run import RunResult
from simulator.results.sample import Sample, View, views
from simulator.results.statistics import mean
from simulator.results.timeline import ReplicaFacts
from simulator.results.verdict import judge
from simulator.results.warmup import SERIES, Course, warm_up
from simulator.scenario.resolved import SloSpec

SCHEMA = 1
JUDGED = "requests"


def summarise(run: RunResult) -> dict[str, Any]:
    """The document that summary.json holds. Plain values; None where a figure does not exist."""
    replications = list(views(run))
    growing = saturated(replications)
    warmup = warm_up([course(view) for view in replications], run.scenario.run.warmup_s, growing["saturated"])
    studied = study(replications, warmup.cut_s, run.scenario.run.confidence)
    figures = metrics(studied, refusal(growing))
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
        "saturation": growing,
        "slo": objectives(run.scenario.slo, [kept(sample) for sample in studied.samples]),
        "metrics": figures,
        "distributions": distributions([curves(sample) for sample in studied.samples], refusal(growing)),
        "precision": precise.document(precise.precision(run.scenario.run, figures, run.replications)),
        "pools": pools(run.scenario, _pools(run, replications, warmup.cut_s)),
        "replicas": [_facts(replica) for replica in run.replicas],
        "counters": dict(sorted(run.counters.items())),
        "checks": list(run.checks),
        "provenance": run.provenance,
    }
    cleaned: dict[str, Any] = clean(document)
    return cleaned | {"verdict": judge(cleaned)}


def _facts(replica: ReplicaFacts) -> dict[str, Any]:
    """Its stages only where it is a pipeline."""
    return {name: value for name, value in asdict(replica).items() if name != "stages" or value > 1}


def refusal(queue: dict[str, Any]) -> str:
    """Why latencies are not given: empty unless the queue grows."""
    if not queue["saturated"]:
        return ""
    rates = f"{queue['offered_per_s']:.4g} requests/s arrive, {queue['served_per_s']:.4g} are served"
    return f"{queue['reason']}: {rates}"


def _pools(run: RunResult, replications: Sequence[View], cut: float) -> list[dict[str, PoolReading]]:
    limits = run.limits or ({},) * len(replications)
    return [read_pools(view, found, cut) for view, found in zip(replications, limits, strict=True)]


def _model(run: RunResult) -> dict[str, str]:
    model = run.scenario.model
    return {"name": model.shape.name, "weights": model.weight_dtype, "kv_cache": model.kv_dtype}


def counts(run: RunResult) -> dict[str, int]:
    """Requests by how they ended."""
    numbers = np.bincount(codes(run.requests["state"], STATES), minlength=len(STATES))
    return {"all": len(run.requests), **dict(zip(STATES, numbers.tolist(), strict=True))}


def course(view: View) -> Course:
    """What the warm-up is found from."""
    known = view.requests["e2e_s"][~np.isnan(view.requests["e2e_s"])]
    life = float(np.quantile(known, 0.9)) if len(known) else math.inf
    return Course(view.requests["sent_s"], {name: view.requests[name] for name in SERIES}, life)


def saturated(replications: Sequence[View]) -> dict[str, Any]:
    """The saturation check that speaks for all replications; replications_saturated: how many fail it."""
    speaks, count = saturation.judged([queue(view) for view in replications])
    return asdict(speaks) | {"replications_saturated": count}


def queue(view: View) -> saturation.Saturation:
    """Whether the queue of one replication grows."""
    times = view.requests
    service = times["prefill_s"] + times["decode_s"]
    level = view.scenario.run.confidence
    return saturation.check(times["sent_s"], times["finish_s"], service, level, times["queue_s"])


def objectives(slo: SloSpec | None, kept: Sequence[dict[str, float]]) -> dict[str, Any] | None:
    """The SLO's bounds, the share of requests that keeps each, of replications, and how many requests that
    rests on; None without an SLO.
    """
    if slo is None:
        return None
    shares = {name: mean([one[name] for one in kept]) for name in slo_bounds(slo)}
    judged = int(sum(one[JUDGED] for one in kept))
    return {"attainment": slo.attainment, "bounds": slo_bounds(slo), "kept": shares, "requests": judged}


def slo_bounds(slo: SloSpec) -> dict[str, float]:
    """Those that are set."""
    bounds = {name: getattr(slo, name) for name in ("ttft_s", "tpot_s", "itl_s", "e2e_s")}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def kept(sample: Sample) -> dict[str, float]:
    """The share of requests that keeps each bound of the SLO; of gaps, for one on ITL; and their number."""
    bounds = slo_bounds(sample.slo) if sample.slo else {}
    shares = {name: _kept(sample, name, bound) for name, bound in bounds.items()}
    return shares | {JUDGED: float(sample.counted.sum())}


def _kept(sample: Sample, name: str, bound: float) -> float:
    if name == "itl_s":
        return of.itl_attainment(sample)
    values = sample.requests[name]
    meets = sample.finished & ((values <= bound) | (np.isnan(values) & (name == "tpot_s")))
    return of.ratio(float(meets.sum()), float(sample.counted.sum()))


def clean(value: Any) -> Any:
    """NaN and infinities as None, tuples as lists: what JSON can hold."""
    if isinstance(value, dict):
        return {key: clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
