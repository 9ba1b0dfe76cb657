"""The designs side by side: objectives, distributions, pools, fleets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from simulator.report.charts import GREY, Axis, Chart, Series, Table
from simulator.report.colours import DESIGNS, STROKES
from simulator.report.page import Section
from simulator.report.run.latency import DEFINITIONS, DRAWN, TOLD, axis
from simulator.report.run.slo import bound_rows, breaking
from simulator.report.terminal import LATENCIES, accelerators, number, scaled, share

WIDTH = 0.7  # of the bars of all designs together


def objectives(document: dict[str, Any]) -> Section:
    designs = document["designs"]
    if not designs[0]["slo"]:
        return Section("Objectives", ("The scenarios name no SLO.",))
    return Section("Objectives", (), (outside(designs),))


def outside(designs: list[dict[str, Any]]) -> Chart:
    """Shares that break each bound, a bar a design."""
    rows = {design["label"]: bound_rows(design) for design in designs}
    names = [name for name, *_ in rows[designs[0]["label"]]]
    asked = designs[0]["slo"]["attainment"]
    size = WIDTH / len(designs)
    series = []
    for index, (label, found) in enumerate(rows.items()):
        places = [
            len(names) - 1 - place + size * ((len(designs) - 1) / 2 - index) for place in range(len(names))
        ]
        colour = DESIGNS[index % len(DESIGNS)]
        series.append(Series(label, breaking(found), places, "across", colour, width=0.9 * size))
    allowed = 100 * (1 - asked)
    most = float(np.nanmax([allowed, 0.01, *(value for one in series for value in one.x)]))
    line = Series("allowed", [allowed] * 2, [-0.5, len(names) - 0.5], "dashed", GREY)
    return Chart(
        "slo",
        f"Requests that break each bound; {allowed:.4g} % may",
        "; ".join(f"{label}: {_percent(found[-1][1])} keep all" for label, found in rows.items()) + ".",
        Axis("% of requests outside", ends=(0.0, 1.08 * most)),
        Axis("", categories=tuple(reversed(names)), padding=0.2),
        (*series, line),
        Table(
            ("bound", *(f"kept by {label}" for label in rows), "asked"),
            [
                (name, *(_percent(found[place][1]) for found in rows.values()), _percent(asked))
                for place, name in enumerate(names)
            ],
        ),
        height=110 + 24 * len(names) * len(designs),
        how="Requests that came to an end and were sent after the warm-up, means over replications; one "
        "that fails keeps no bound, a one-token answer has no TPOT and keeps it. ITL: of all gaps between "
        "tokens.",
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.4g} %"


def latencies(document: dict[str, Any]) -> Section:
    charts = tuple(chart for name in DRAWN for chart in cdf(document["designs"], name))
    text = tuple(
        f"{design['label']} is saturated: its TTFT and E2E have no steady distribution."
        for design in document["designs"]
        if design["saturation"]["saturated"]
    )
    return Section("Latencies", text, charts)


def cdf(designs: list[dict[str, Any]], name: str) -> Iterator[Chart]:
    """One latency's distribution in every design that has it."""
    known = {design["label"]: design for design in designs if design["distributions"][name]}
    if not known:
        return
    first = next(iter(known.values()))
    scale, unit = scaled(first["metrics"][name]["p50"])
    shares = first["distributions"]["shares"]
    curves = {label: [scale * value for value in one["distributions"][name]] for label, one in known.items()}
    labels = [design["label"] for design in designs]
    series = [
        Series(
            label, x, [100 * part for part in shares], STROKES[labels.index(label) % len(STROKES)],
            DESIGNS[labels.index(label) % len(DESIGNS)],
        )
        for label, x in curves.items()
    ]  # fmt: skip
    bound = ((designs[0]["slo"] or {}).get("bounds") or {}).get(name)
    if bound is not None:
        series.append(Series("SLO", [bound * scale] * 2, [0.0, 100.0], "dotted", GREY))
    at = [round(100 * part, 6) for part in shares]
    yield Chart(
        f"cdf-{name[:-2]}",
        f"{LATENCIES[name]}: {DEFINITIONS[name]}",
        "; ".join(
            f"{label}: half within {number(one['metrics'][name]['p50'], scale)} {unit}, 99 % within "
            f"{number(one['metrics'][name]['p99'], scale)}"
            for label, one in known.items()
        )
        + ".",
        axis([value for x in curves.values() for value in x], unit),
        Axis("% of samples", ends=(0.0, 102.0)),
        tuple(series),
        Table(
            (f"percentile, {unit}", *curves),
            [
                (f"p{p:g}" if p < 100 else "max", *(number(x[at.index(p)]) for x in curves.values()))
                for p in TOLD
            ],
        ),
        height=300,
        how="Finished requests sent after the warm-up; each percentile is the mean over replications of "
        f"that percentile, and the line goes through {len(shares)} of them.",
    )


POOL = {"batch": "batch_size", "waiting": "waiting", "KV use": "kv_use", "KV peak": "kv_peak", "MFU": "mfu",
        "MBU": "mbu", "busy": "busy", "prefill": "prefill_share", "mixed": "mixed_share",
        "decode": "decode_share"}  # fmt: skip


def fleets(document: dict[str, Any]) -> Section:
    rows, why = [], []
    for design in document["designs"]:
        for name, pool in design["pools"].items():
            cells = [
                number(pool[k]) if k in ("batch_size", "waiting") else share(pool[k]) for k in POOL.values()
            ]
            rows.append((f"{design['label']} {name}", accelerators(pool), *cells))
            why.append(f"{design['label']} {name}: {design['verdict']['limits'][name]}.")
    how = "Means over time, replicas and replications after the warm-up."
    table = Table(("pool", "accelerators", *POOL), rows, (0, 1), title="What the pools did", how=how)
    return Section("Pools and what limits them", tuple(why), tables=(table,))
