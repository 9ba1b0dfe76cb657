"""Two runs, or a run and a measurement, side by side on one screen of a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from simulator.report.compare import PARTS
from simulator.report.terminal import number, scaled, share
from simulator.study.compare_verdict import signed
from simulator.study.diff.verdict import MOST_KEYS, NAMES, change

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

LATENCIES = NAMES | {"itl_s": "ITL"}
SHOWN = {
    "ttft_s": ("mean", "p50", "p99"),
    "tpot_s": ("mean", "p99"),
    "itl_s": ("mean", "p99"),
    "e2e_s": ("mean", "p99"),
}
ALL = ("mean", "p50", "p90", "p99")
RATES = {"request_throughput": "requests/s", "output_throughput": "output tokens/s"}
FLEET = {
    "attainment": ("SLO attainment", 100.0),
    "goodput_per_accelerator": ("goodput/accelerator", 1.0),
    "usd_per_million_tokens": ("$/M tokens", 1.0),
    "prefix_hit_rate": ("prefix hits %", 100.0),
}
NEGLIGIBLE = 0.002
MOST_NAMED = 5


def show(document: dict[str, Any], console: Console) -> None:
    """Prints the comparison."""
    from rich.text import Text

    console.print(Text(document["verdict"], style="bold"))
    for table in (metrics(document, console.width), parts(document)):
        if table.row_count:
            console.print(table)
    for text in footing(document):
        console.print(Text(text, style="dim"))


def metrics(document: dict[str, Any], width: int) -> Table:
    """A row a figure: both sides, and the change or the error."""
    measured = document["measured"]
    headings = (
        ("simulated", "measured", "error")
        if measured
        else (document["a"]["name"], document["b"]["name"], "change")
    )
    table = _table("")
    for heading in headings:
        table.add_column(
            heading if len(heading) <= width // 4 else f"{heading[: width // 4 - 1]}…", justify="right"
        )
    for name, label in LATENCIES.items():
        for key in ALL if measured else SHOWN[name]:
            entry = (document["metrics"].get(name) or {}).get(key)
            if entry is not None:
                scale, unit = scaled(entry["a"])
                table.add_row(f"{label} {key} {unit}", *_cells(entry, scale, measured))
    for name, label in RATES.items():
        if name in document["rates"] and (measured or name == "output_throughput"):
            table.add_row(label, *_cells(document["rates"][name], 1.0, measured))
    for name, (label, scale) in FLEET.items():
        if name in document["fleet"]:
            table.add_row(label, *_cells(document["fleet"][name], scale, measured))
    return table


def _cells(entry: dict[str, Any], scale: float, measured: bool) -> tuple[str, str, str]:
    values = number(entry["a"], scale), number(entry["b"], scale)
    if measured:
        return *values, "–" if entry["error"] is None else f"{signed(entry['error'])} %"
    if entry["relative"] is None:
        return *values, "–"
    return *values, "=" if entry["a"] == entry["b"] else change(entry)


def parts(document: dict[str, Any]) -> Table:
    """A row a part of the waterfall that takes time in either run."""
    table = _table("seconds, mean")
    for heading in ("before", "after", "change"):
        table.add_column(heading, justify="right")
    entries = {name: entry for name, entry in document["parts"].items() if entry is not None}
    largest = max((max(entry["a"], entry["b"]) for entry in entries.values()), default=0.0)
    for name, entry in entries.items():
        if max(entry["a"], entry["b"]) > NEGLIGIBLE * largest:
            more = entry["b"] - entry["a"]
            shown = f"{'−' if more < 0 else '+'}{number(abs(more))}" if more else "="
            table.add_row(PARTS[name], number(entry["a"]), number(entry["b"]), shown)
    return table


def footing(document: dict[str, Any]) -> Iterator[str]:
    """What the figures rest on."""
    a, b = document["a"], document["b"]
    further = [entry["key"] for entry in document["scenario"][MOST_KEYS:]]
    if further:
        more = f" and {len(further) - MOST_NAMED} more (--json)" if len(further) > MOST_NAMED else ""
        yield f"they differ in {', '.join(further[:MOST_NAMED])}{more}, too"
    if document["paired"]:
        yield f"{a['counted']:,} requests that finished in both, pair by pair{_typical(document)}"
    else:
        yield f"{a['counted']:,} requests against {b['counted']:,}, not the same ones"
    if document["cut_s"]:
        each = "; figures from SLO attainment on: after each run's own" if document["fleet"] else ""
        yield f"warm-up left out: the first {document['cut_s']:.4g} s{each}"
    if document["measured"] and "itl_s" not in document["metrics"]:
        yield "no ITL: not measured, or known of the run only without its warm-up (--set run.warmup=0)"
    if a["output_tokens"] != b["output_tokens"] or a["prompt_tokens"] != b["prompt_tokens"]:
        tokens = [f"{side['prompt_tokens']:,.0f} + {side['output_tokens']:,.0f}" for side in (a, b)]
        yield f"prompt + output tokens: {tokens[0]} and {tokens[1]}"


def _typical(document: dict[str, Any]) -> str:
    pairs = document["requests"] or {}
    found = [
        f"{NAMES[name]} {share(pairs[name]['median_absolute_relative'])}" for name in NAMES if name in pairs
    ]
    return f"; a request's differs by (median) {', '.join(found)}" if found else ""


def _table(first: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True)
    return table
