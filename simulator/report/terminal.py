"""A run on one screen of a terminal: the verdict first, then the figures, then what they rest on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simulator.report.sparks import spark

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

LATENCIES = {"ttft_s": "TTFT", "tpot_s": "TPOT", "itl_s": "ITL", "e2e_s": "E2E", "queue_s": "queue"}
COLUMNS = ("mean", "p50", "p90", "p95", "p99")
NONE: Mapping[str, Sequence[int]] = {}


def show(
    summary: dict[str, Any],
    console: Console,
    notes: tuple[str, ...] = (),
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> None:
    """Prints the summary (as summary.json has it). notes: lines about this very run that no file keeps;
    shapes: histograms of latencies, drawn where a terminal has room for them.
    """
    from rich.text import Text

    def line(text: str, style: str = "") -> None:
        console.print(Text(text, style=style), soft_wrap=not console.is_terminal)

    verdict = summary["verdict"]
    line(verdict["sentence"], {True: "bold green", False: "bold red", None: "bold"}[verdict["met"]])
    for name, pool in summary["pools"].items():
        line(f"{name}, {accelerators(pool)}: {verdict['limits'][name]}")
    drawn = shapes if shapes and console.is_terminal else {}
    console.print(
        fitting(console, latencies(summary, drawn), latencies(summary), latencies(summary, {}, False))
    )
    for text in rates(summary):
        line(text)
    for table in pools(summary, console):
        console.print(table)
    for text in (*footing(summary), *notes):
        line(text, "dim")


def accelerators(pool: dict[str, Any]) -> str:
    """What a pool consists of, such as 4 × 2 h100-sxm."""
    each = pool["accelerators"] // max(pool["replicas"], 1)
    return f"{pool['replicas']} × {each} {pool['accelerator']}"


def fitting(console: Console, *tables: Table) -> Table:
    """The first of the tables that the screen is wide enough for; else the last."""
    for table in tables:
        if _width(console, table) <= console.width:
            return table
    return tables[-1]


def _width(console: Console, table: Table) -> int:
    """Columns that the table takes with nothing cut or folded."""
    return console.measure(table, options=console.options.update(width=1000)).maximum


def latencies(
    summary: dict[str, Any], shapes: Mapping[str, Sequence[int]] = NONE, interval: bool = True
) -> Table:
    """A row a latency, in the unit that suits its median. shapes: histograms; interval: with that of p99."""
    header, rows = latency_cells(summary)
    table = _table()
    table.add_column("")
    for name in header[1:] if interval else header[1:-1]:
        table.add_column(name, justify="right")
    if shapes:
        table.add_column("least … p99", no_wrap=True)
    for row, key in zip(rows, LATENCIES, strict=True):
        drawn = [spark(shapes.get(key, ()))] if shapes else []
        table.add_row(*(row if interval else row[:-1]), *drawn)
    return table


def latency_cells(summary: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The same as texts: header and rows."""
    rows = []
    for key, label in LATENCIES.items():
        metric = summary["metrics"][key]
        scale, unit = scaled(metric["p50"])
        cells = [number(metric[name], scale) for name in COLUMNS]
        interval = between((metric.get("interval") or {}).get("p99"), scale)
        rows.append([f"{label} {unit}", *cells, interval])
    return ["", *COLUMNS, f"p99 in {summary['confidence'] * 100:g} %"], rows


def rates(summary: dict[str, Any]) -> Iterator[str]:
    """Throughput, service and cost, in three lines."""
    value = {name: metric.get("value") for name, metric in summary["metrics"].items()}
    tokens = (
        f"{number(value['output_throughput'])} output and {number(value['total_throughput'])} total tokens/s"
    )
    each = f"{number(value['output_throughput_per_accelerator'])} output tokens/s an accelerator"
    yield f"{number(value['request_throughput'])} requests/s · {tokens}"
    joules = value["joules_per_million_output_tokens"]
    energy = f", at most {number(joules, 1e-6)} MJ (at TDP)" if joules is not None else ""
    yield f"{each} · ${number(value['usd_per_million_output_tokens'])}{energy} per million output tokens"
    parts = [
        f"input:output {number(value['input_output_ratio'])}",
        f"prefix hits {share(value['prefix_hit_rate'])}",
    ]
    if value["preemptions_per_request"]:
        parts.append(f"preemptions {number(value['preemptions_per_request'])} a request")
    if value["goodput"] is not None:
        parts.append(f"goodput {number(value['goodput'])} requests/s")
    yield " · ".join(parts)


POOL_COLUMNS = {
    "batch": "batch_size",
    "queued": "waiting",
    "KV": "kv_use",
    "peak": "kv_peak",
    "MFU": "mfu",
    "MBU": "mbu",
    "busy": "busy",
    "prefill": "prefill_share",
    "mixed": "mixed_share",
    "decode": "decode_share",
}


def pools(summary: dict[str, Any], console: Console) -> Iterator[Table]:
    """What the replicas of each pool did, means over time and replicas: a row a pool, where there is room;
    else a column a pool, as many side by side as fit.
    """
    table = _table()
    table.add_column("pool", overflow="ellipsis", no_wrap=True, min_width=6)
    for name in POOL_COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for name, pool in summary["pools"].items():
        table.add_row(name, *(_shown(key, pool[key]) for key in POOL_COLUMNS.values()))
    if _width(console, table) <= console.width:
        yield table
        return
    names = list(summary["pools"])
    while names:
        count = len(names)
        while count > 1 and _width(console, _upright(summary, names[:count])) > console.width:
            count -= 1
        yield _upright(summary, names[:count])
        names = names[count:]


def _upright(summary: dict[str, Any], names: Sequence[str]) -> Table:
    table = _table()
    table.add_column("pool", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    for label, key in POOL_COLUMNS.items():
        table.add_row(label, *(_shown(key, summary["pools"][name][key]) for name in names))
    return table


def _shown(key: str, value: float | None) -> str:
    return number(value) if key in {"batch_size", "waiting"} else share(value)


def footing(summary: dict[str, Any]) -> Iterator[str]:
    """What the figures rest on: requests counted and left out, schedule, step times."""
    requests = summary["requests"]
    ends = [
        f"{count:,} {state.replace('_', ' ')}"
        for state, count in requests.items()
        if count and state != "all"
    ]
    warmup = summary["warmup"]
    cut = (
        f"the first {warmup['cut_s']:.4g} s, {warmup['dropped']:,} requests" if warmup["dropped"] else "none"
    )
    left_out = f"warm-up left out: {cut} ({warmup['method']})"
    tokens = [checks["tokens"] for checks in summary["checks"]]
    asked, emitted = (sum(each[key] for each in tokens) for key in ("prompts", "emitted"))
    yield f"{requests['all']:,} requests of {asked:,} tokens, {emitted:,} answered: {', '.join(ends)}"
    yield left_out
    if warmup["short"] and warmup.get("changing"):
        yield "no steady state: latencies keep changing, so MSER-5 finds no end of the warm-up"
    elif warmup["short"]:
        yield "too short to tell where the warm-up ends: what is counted may hold some of it"
    yield from queues(summary["saturation"], summary["replications"])
    if summary["precision"]:
        yield precision(summary["precision"])
    engines = ", ".join(dict.fromkeys(summary["engines"].values()))
    yield f"schedule of {engines}; step times: {step_times(summary['provenance'].get('cost', {}))}"


def queues(saturation: dict[str, Any], replications: int) -> Iterator[str]:
    """What the reader should know of the queue, unless the verdict says it."""
    growing = saturation["replications_saturated"]
    if saturation["saturated"] is None:
        yield f"saturation: {saturation['reason']}"
    elif growing and not saturation["saturated"]:
        yield f"near saturation: the queue still grows at the end of {growing} of {replications} replications"


def precision(found: dict[str, Any]) -> str:
    """Whether the intervals became as narrow as asked."""
    reached = ", ".join(
        f"{name} ± {share(width) if width is not None else '–'}" for name, width in found["reached"].items()
    )
    after = f"{found['replications']} replications"
    if found["met"]:
        return f"precision of {share(found['asked'])} reached with {after}: {reached}"
    stopped = (
        f"the most allowed are {found['most']}" if found["replications"] >= found["most"] else "no value"
    )
    return f"precision of {share(found['asked'])} not reached with {after} ({stopped}): {reached}"


def step_times(cost: dict[str, Any]) -> str:
    """How step times are known, over all pools: the kinds of their ops' figures, and fitted ones' errors."""
    kinds: dict[str, list[float]] = {}
    for pool in cost.values():
        if "kind" in pool:
            kinds.setdefault(pool["kind"], [])
        for op in pool.get("ops", {}).values():
            errors = kinds.setdefault(op["kind"], [])
            errors.extend([op["median_pct"]] if op.get("median_pct") is not None else [])
    parts = [
        f"{kind} (median error up to {max(errors):.3g} %)" if errors else kind
        for kind, errors in kinds.items()
    ]
    return ", ".join(parts) or "of unknown origin"


def speed(requests: int, simulated_s: float, wall_s: float, steps: int) -> str:
    """How fast the simulation went."""
    per_second = requests / wall_s if wall_s else float("inf")
    return (
        f"simulated {duration(simulated_s)} in {duration(wall_s)}: {per_second:,.0f} requests/s, "
        f"{steps:,} engine steps"
    )


def _table() -> Table:
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")


def scaled(seconds: float | None) -> tuple[float, str]:
    """The factor and the unit that suit a time."""
    if seconds is not None and seconds >= 1:
        return 1.0, "s"
    return (1e3, "ms") if seconds is None or seconds >= 1e-4 or seconds == 0 else (1e6, "µs")


def number(value: float | None, scale: float = 1.0) -> str:
    """Three digits that tell; a dash for what does not exist."""
    if value is None:
        return "–"
    scaled_value = value * scale
    if abs(scaled_value) >= 99.95:
        return f"{scaled_value:,.0f}"
    if abs(scaled_value) >= 9.995:
        return f"{scaled_value:.1f}"
    return f"{scaled_value:.2f}" if abs(scaled_value) >= 0.1 or not scaled_value else f"{scaled_value:.2g}"


def share(value: float | None) -> str:
    """A share in per cent."""
    return (
        "–"
        if value is None
        else f"{value * 100:.0f} %"
        if value >= 0.0995 or not value
        else f"{value * 100:.1f} %"
    )


def between(interval: dict[str, Any] | None, scale: float) -> str:
    """An interval's ends; the open one as a dash."""
    if interval is None:
        return "–"
    return f"{number(interval['low'], scale)} … {number(interval['high'], scale)}"


def duration(seconds: float) -> str:
    """A time for people."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.2f} s"
