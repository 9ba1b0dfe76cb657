"""How long requests wait: percentiles with their intervals, and whole distributions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from simulator.report.charts import BLUE, GREY, ORANGE, Axis, Chart, Series, Table, log_ticks
from simulator.report.page import Section
from simulator.report.terminal import COLUMNS, LATENCIES, between, number, scaled
from simulator.results.metrics import DISTRIBUTIONS

DRAWN = ("ttft_s", "tpot_s", "itl_s", "e2e_s")
TOLD = (1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100)
DEFINITIONS = {metric.name: metric.definition for metric in DISTRIBUTIONS}


def section(summary: dict[str, Any]) -> Section:
    charts = tuple(chart for name in DRAWN for chart in cdf(summary, name))
    return Section("Latencies", tuple(refusals(summary)), charts, (percentiles(summary),))


def refusals(summary: dict[str, Any]) -> Iterator[str]:
    """Why some latencies are not given."""
    reasons = {summary["metrics"][name].get("refused") for name in LATENCIES} - {None}
    for reason in sorted(reasons):
        names = [
            label for name, label in LATENCIES.items() if summary["metrics"][name].get("refused") == reason
        ]
        yield f"{', '.join(names)}: not given, {reason}."


def percentiles(summary: dict[str, Any]) -> Table:
    """A row a latency; each statistic with its interval."""
    rows = []
    for name, label in LATENCIES.items():
        metric = summary["metrics"][name]
        scale, unit = scaled(metric["p50"])
        cells = [_with_interval(metric, key, scale) for key in COLUMNS]
        rows.append((f"{label}, {unit}", *cells, f"{metric['n']:,}" if "n" in metric else "–"))
    return Table(
        ("latency", *COLUMNS, "samples"),
        rows,
        title=f"Statistics, each with its interval of {summary['confidence'] * 100:g} %",
        how=f"{_how(summary)} {interval_method(summary)} A dash: too few samples, or too much correlation, "
        "for an interval that would hold.",
    )


def _with_interval(metric: dict[str, Any], key: str, scale: float) -> str:
    interval = (metric.get("interval") or {}).get(key)
    value = number(metric[key], scale)
    return f"{value} [{between(interval, scale)}]" if interval else value


def _how(summary: dict[str, Any]) -> str:
    many = summary["replications"]
    means = f"The mean over {many} replications of each one's statistic." if many > 1 else "Of the one run."
    cut = summary["warmup"]["cut_s"]
    of = f"Finished requests that were sent after the warm-up ({cut:.4g} s, {summary['warmup']['method']}). "
    return f"{of}{means} Percentiles are numpy's linear ones."


def interval_method(summary: dict[str, Any]) -> str:
    """How the intervals came about, as summary.json names it."""
    found = {
        interval["method"]
        for name in LATENCIES
        for interval in (summary["metrics"][name].get("interval") or {}).values()
        if interval
    }
    return f"Intervals: {'; '.join(sorted(found))}." if found else "No intervals."


def cdf(summary: dict[str, Any], name: str) -> Iterator[Chart]:
    """The distribution of one latency, unless there is none."""
    values = (summary.get("distributions") or {}).get(name)
    if values is None:
        return
    metric, label = summary["metrics"][name], LATENCIES[name]
    shares = summary["distributions"]["shares"]
    scale, unit = scaled(metric["p50"])
    x, y = [value * scale for value in values], [100 * share for share in shares]
    drawn = axis(x, unit)
    intervals = _intervals(metric, scale, x[0] if drawn.log else 0.0)
    series = [Series(label, x, y, "line", BLUE), *intervals, *_bound(summary, name, scale)]
    slowest = "the slowest" if summary["replications"] == 1 else "a replication's slowest on average"
    yield Chart(
        f"cdf-{name[:-2]}",
        f"{label}: {DEFINITIONS[name]}",
        f"Half of them within {number(metric['p50'], scale)} {unit}, 99 % within "
        f"{number(metric['p99'], scale)}, {slowest} {number(values[-1], scale)} {unit}.",
        drawn,
        Axis("% of samples", ends=(0.0, 102.0)),
        tuple(series),
        _curve_table(x, shares, unit),
        height=280,
        how=f"{_how(summary)} The line goes through {len(shares)} percentiles. {interval_method(summary)}",
    )


def axis(x: Sequence[float], unit: str) -> Axis:
    """Logarithmic where the values span much."""
    least, most = min(x), max(x)
    if least <= 0 or most <= 5 * least:
        return Axis(unit)
    return Axis(unit, log=True, ticks=log_ticks(least, most))


def _intervals(metric: dict[str, Any], scale: float, least: float) -> Iterator[Series]:
    """least: where the axis begins. A logarithmic one has no 0 for an interval that reaches it."""
    found = {
        key: interval
        for key, interval in (metric.get("interval") or {}).items()
        if key.startswith("p") and interval and interval["low"] is not None and interval["high"] is not None
    }
    if found:
        yield Series(
            "percentiles and their intervals",
            [metric[key] * scale for key in found],
            [float(key[1:]) for key in found],
            "ranges",
            ORANGE,
            list(found),
            low=[max(interval["low"] * scale, least) for interval in found.values()],
            high=[interval["high"] * scale for interval in found.values()],
        )


def _bound(summary: dict[str, Any], name: str, scale: float) -> Iterator[Series]:
    bound = ((summary["slo"] or {}).get("bounds") or {}).get(name)
    if bound is not None:
        yield Series("SLO", [bound * scale] * 2, [0.0, 100.0], "dotted", GREY)


def _curve_table(x: list[float], shares: list[float], unit: str) -> Table:
    at = dict(zip([round(100 * share, 6) for share in shares], x, strict=True))
    return Table(("percentile", unit), [(f"p{p:g}" if p < 100 else "max", number(at[p])) for p in TOLD])
