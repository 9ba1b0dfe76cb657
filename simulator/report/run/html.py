"""A run as one page: the verdict and its evidence, then everything behind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulator.report import page
from simulator.report.charts import Table
from simulator.report.page import Page, Section, Tile
from simulator.report.run import latency, rates, replicas, roof, slo, slow, waterfall
from simulator.report.run.source import Source, course
from simulator.report.terminal import accelerators, between, footing, number, scaled, share
from simulator.results.metrics import DISTRIBUTIONS, SCALARS

LIMITS = "What is not modelled, and what follows for these figures: docs/limits.md of the project."
LATENCIES = {"TTFT p99": ("ttft_s", "p99"), "TPOT p99": ("tpot_s", "p99"), "E2E p99": ("e2e_s", "p99")}
AMOUNTS = {
    "requests/s": ("request_throughput", 1.0),
    "output tokens/s": ("output_throughput", 1.0),
    "goodput, requests/s": ("goodput", 1.0),
    "$ per M output tokens": ("usd_per_million_output_tokens", 1.0),
    "prefix hits, %": ("prefix_hit_rate", 100.0),
}


def html(source: Source) -> str:
    """The page's text: the same bytes for the same run, whether from memory or from its folder."""
    summary = source.summary
    tone = {True: "good", False: "bad", None: ""}[summary["verdict"]["met"]]
    return page.render(
        Page(
            f"{summary['scenario']['name']}: simulated run",
            subtitle(summary),
            tuple(verdicts(summary)),
            tuple(_sections(source)),
            tuple(_footing(summary)),
            tone,
            tuple(tiles(summary)),
            glossary(),
        )
    )


def _sections(source: Source) -> Iterator[Section]:
    slices = course(source)
    yield slo.section(source, slices)
    yield latency.section(source.summary)
    yield waterfall.section(source)
    yield slow.section(source)
    yield rates.section(source, slices)
    yield replicas.section(source, slices)
    yield roof.section(source)
    yield Section("Pools and every figure", tables=(pools(source.summary), every(source.summary)))
    yield Section("What the figures rest on", tables=tuple(provenance(source.summary["provenance"])))


def glossary() -> dict[str, str]:
    """Every metric's name in words."""
    return {metric.name: f"{metric.definition} ({metric.unit})" for metric in (*DISTRIBUTIONS, *SCALARS)}


def subtitle(summary: dict[str, Any]) -> str:
    model, engines = summary["model"], dict.fromkeys(summary["engines"].values())
    fleet = ", ".join(f"{name} {accelerators(pool)}" for name, pool in summary["pools"].items())
    what = f"{model['name']}, weights {model['weights']}, KV cache {model['kv_cache']}"
    return f"{what} · {fleet} · {', '.join(engines)}"


def verdicts(summary: dict[str, Any]) -> Iterator[str]:
    """The verdict, then what limits each pool, then what the figures rest on."""
    yield summary["verdict"]["sentence"]
    for name, text in summary["verdict"]["limits"].items():
        yield f"{name}: {text}"
    yield from footing(summary)


def tiles(summary: dict[str, Any]) -> Iterator[Tile]:
    """The figures that a reader looks for first, with their intervals."""
    metrics, level = summary["metrics"], f"{summary['confidence'] * 100:g} %"
    for label, (name, key) in LATENCIES.items():
        metric = metrics[name]
        scale, unit = scaled(metric[key])
        interval = (metric.get("interval") or {}).get(key)
        note = f"{between(interval, scale)} in {level}" if interval else metric.get("refused", "no interval")
        value = f"{number(metric[key], scale)} {unit}" if metric[key] is not None else "–"
        yield Tile(label, value, note)
    for label, (name, scale) in AMOUNTS.items():
        metric = metrics[name]
        if metric["value"] is not None:
            interval = metric["interval"]
            note = f"{between(interval, scale)} in {level}" if interval else "no interval"
            yield Tile(label, number(metric["value"], scale), note)


POOL_FIGURES = {
    "batch": "batch_size",
    "running": "running",
    "waiting": "waiting",
    "KV use": "kv_use",
    "KV peak": "kv_peak",
    "MFU": "mfu",
    "MBU": "mbu",
    "busy": "busy",
    "FLOP/byte": "intensity",
    "ridge": "ridge",
}
_PLAIN = {"batch_size", "running", "waiting", "intensity", "ridge"}


def pools(summary: dict[str, Any]) -> Table:
    rows = []
    for name, pool in summary["pools"].items():
        cells = [number(pool[key]) if key in _PLAIN else share(pool[key]) for key in POOL_FIGURES.values()]
        rows.append((name, accelerators(pool), *cells))
    head = ("pool", "accelerators", *POOL_FIGURES)
    how = "Means over time and replicas after the warm-up, and over replications."
    return Table(head, rows, (0, 1), title="Pools", how=how)


def every(summary: dict[str, Any]) -> Table:
    """All of summary.json's metrics that have one value."""
    rows = []
    for metric in SCALARS:
        found = summary["metrics"][metric.name]
        interval = found.get("interval") or {}
        ends = f"{digits(interval['low'])} … {digits(interval['high'])}" if interval else "–"
        rows.append((metric.name, digits(found["value"]), ends, metric.unit, metric.definition))
    head = ("metric", "value", f"interval of {summary['confidence'] * 100:g} %", "unit", "definition")
    how = "As summary.json has them, with more digits there and the method of each interval."
    return Table(head, rows, (0, 3, 4), title="Every figure with one value", how=how, folded=True)


def digits(value: float | None) -> str:
    """Four that tell."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"


def provenance(found: dict[str, Any]) -> Iterator[Table]:
    """Where each kind of step time comes from, and the workload."""
    rows = []
    for pool, cost in found.get("cost", {}).items():
        for name, op in cost.get("ops", {}).items():
            error = f"{op['median_pct']:.3g} %" if op.get("median_pct") is not None else "–"
            rows.append((pool, name, op["kind"], error, op["source"]))
        if "overhead_s" in cost:
            source = cost.get("overhead_source", "")
            rows.append((pool, "engine, a step", "", f"{1e3 * cost['overhead_s']:.3g} ms", source))
        if "kind" in cost:
            rows.append((pool, "a step", cost["kind"], "–", cost.get("source", "")))
    yield Table(
        ("pool", "kind of work", "known as", "error", "source"),
        rows,
        (0, 1, 2, 4),
        title="Step times",
        folded=True,
    )
    plain = [(key, _text(value)) for key, value in found.get("workload", {}).items()]
    yield Table(("what", "value"), plain, (0, 1), title="Workload", folded=True)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _footing(summary: dict[str, Any]) -> Iterator[str]:
    scenario, versions = summary["scenario"], summary["versions"]
    yield LIMITS
    yield (
        f"Scenario {scenario['name']}, hash {scenario['hash'][:16]}, seed {scenario['seed']}; sim "
        f"{versions['sim']}, numpy {versions['numpy']}. scenario.yaml beside this page runs again; "
        "summary.json, requests.parquet and timeline.parquet hold the figures."
    )
