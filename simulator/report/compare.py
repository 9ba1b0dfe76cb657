"""A comparison on one screen of a terminal: the verdict, what changes, why, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from simulator.report.terminal import number, queues, scaled
from simulator.report.terminal import precision as precision_line
from simulator.results.parts import WATERFALL
from simulator.study.compare_verdict import percent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

LATENCIES = {
    "TTFT p50": ("ttft_s", "p50"),
    "TTFT p99": ("ttft_s", "p99"),
    "TPOT p50": ("tpot_s", "p50"),
    "TPOT p99": ("tpot_s", "p99"),
    "E2E p99": ("e2e_s", "p99"),
}
AMOUNTS = {
    "goodput/accelerator": ("goodput_per_accelerator", 1.0),
    "goodput per $": ("goodput_per_usd", 1.0),
    "$/M tokens": ("usd_per_million_tokens", 1.0),
    "MJ/M tokens at most": ("joules_per_million_tokens", 1e-6),
}
PARTS = {
    "queue_s": "queue",
    "prefill_own_s": "own prefill",
    "prefill_shared_s": "others' prefill",
    "transfer_wait_s": "wait for decode",
    "transfer_move_s": "KV transfer",
    "decode_own_s": "own decode",
    "decode_stretched_s": "stretched decode",
    "preempted_s": "preempted",
}
GROUPS = {"mean": "all", "ttft_s": "slowest 1 % TTFT", "tpot_s": "slowest 1 % TPOT"}
NEGLIGIBLE = 0.002  # of the largest part: not worth a line


def show(document: dict[str, Any], console: Console, notes: tuple[str, ...] = ()) -> None:
    """Prints the comparison (as comparison.json has it); notes: lines that no file keeps."""
    from rich.text import Text

    def line(text: str, style: str = "") -> None:
        console.print(Text(text, style=style), soft_wrap=not console.is_terminal)

    for sentence in document["verdict"]["sentences"]:
        line(sentence, "bold")
    for table in (*metrics(document, console), *parts(document, console)):
        console.print(table)
    for text in pools(document):
        line(text)
    for text in (*footing(document), *notes):
        line(text, "dim")


def metrics(document: dict[str, Any], console: Console) -> Iterator[Table]:
    """A row a metric: the first design's value, each other's with its change; with two, in how many pairs.
    Where there is no room, a table for each other design, and in the end its changes without intervals.
    """
    header, rows = metric_cells(document)
    several = len(document["designs"]) > 2  # their names, cut to pieces, would not tell them apart
    if _figures_width([header, *rows] if several else rows) <= console.width:
        yield _filled(header, rows, console.width)
        return
    for first in range(2, 2 * len(document["designs"]), 2):
        columns = (0, 1, first, first + 1)
        own = [[row[column] for column in columns] for row in rows]
        if _figures_width(own) > console.width:
            own = [[cell.partition(" [")[0] for cell in row] for row in own]
        yield _filled([header[column].partition(" in ")[0] for column in columns], own, console.width)


def _figures_width(rows: Sequence[Sequence[str]]) -> int:
    """Columns that the rows take with nothing cut."""
    return sum(max(map(len, column)) + 1 for column in zip(*rows, strict=True)) - 1


def _filled(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Table:
    """Figures whole; headings folded to them where there is no room."""
    table = _table()
    tight = _figures_width([header, *rows]) > width
    for place, (heading, column) in enumerate(zip(header, zip(*rows, strict=True), strict=True)):
        wide = max(map(len, column))
        justify: Literal["left", "right"] = "right" if place else "left"
        most = wide if tight else None
        table.add_column(heading, justify=justify, min_width=wide, max_width=most, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def metric_cells(document: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The same as texts: header and rows."""
    base, *others = document["designs"]
    header = ["", base["label"]]
    for other, change in zip(others, document["changes"], strict=True):
        header += [other["label"], f"change in {change['confidence'] * 100:.3g} %"]
    rows = []
    for label, (name, key) in LATENCIES.items():
        scale, unit = scaled(base["metrics"][name][key] or others[0]["metrics"][name][key])
        rows.append([f"{label} {unit}", *_cells(document, name, key, scale)])
    for label, (name, scale) in AMOUNTS.items():
        if any(design["metrics"][name]["value"] is not None for design in document["designs"]):
            rows.append([label, *_cells(document, name, "", scale)])
    return [*header, *(["wins"] if len(others) == 1 else [])], rows


def _cells(document: dict[str, Any], name: str, key: str, scale: float) -> Iterator[str]:
    values = [design["metrics"][name].get(key or "value") for design in document["designs"]]
    yield number(values[0], scale)
    for value, change in zip(values[1:], document["changes"], strict=True):
        yield number(value, scale)
        found = change["metrics"][name][key] if key else change["metrics"][name]
        yield changed(found)
        if len(values) == 2:
            yield won(found)


def changed(found: dict[str, Any] | None) -> str:
    """A change in a cell: per cent with its interval, = for none at all, a dash where it is not known."""
    if not found or found.get("relative") is None:
        return "–"
    if found["difference"]["low"] == found["difference"]["high"] == 0:
        return "="
    return percent(found)


def won(found: dict[str, Any] | None) -> str:
    """In how many pairs the second design is better."""
    if not found or not found.get("wins"):
        return "–"
    return f"{found['wins']['wins']}/{found['wins']['share']['n']}"


def parts(document: dict[str, Any], console: Console) -> Iterator[Table]:
    """A row a part of the waterfall: where the time goes, of all requests and of the slowest; a table for
    each of these where there is no room.
    """
    rows = list(_part_rows(document))
    header = ["seconds, mean", *GROUPS.values()]
    if not rows or _figures_width([header, *rows]) <= console.width:
        yield _filled(header, rows or [[""] * len(header)], console.width)
        return
    for group in range(1, len(header)):
        yield _filled([header[0], header[group]], [[row[0], row[group]] for row in rows], console.width)


def _part_rows(document: dict[str, Any]) -> Iterator[list[str]]:
    largest = max(
        design["parts"]["mean"][part] or 0.0 for design in document["designs"] for part in WATERFALL
    )
    for part in WATERFALL:
        rows = {group: [design["parts"][group][part] for design in document["designs"]] for group in GROUPS}
        if any((value or 0.0) > NEGLIGIBLE * largest for values in rows.values() for value in values):
            yield [PARTS[part], *(" → ".join(map(number, values)) for values in rows.values())]


def pools(document: dict[str, Any]) -> Iterator[str]:
    """What limits each pool of each design."""
    for design in document["designs"]:
        for name, text in design["verdict"]["limits"].items():
            yield f"{design['label']} {name}: {text.partition('. Helps')[0]}"


def footing(document: dict[str, Any]) -> Iterator[str]:
    """What the figures rest on."""
    warm = document["warmup"]
    cut = f"the first {warm['cut_s']:.4g} s" if warm["cut_s"] else "nothing"
    requests = document["workload"]["requests"]
    same = "the same" if document["workload"]["same"] else "different"
    yield f"{document['method']}; {same} {sum(requests):,} requests"
    yield f"warm-up left out: {cut} ({warm['method']}){_gain(document)}"
    for design in document["designs"]:
        for text in queues(design["saturation"], document["replications"]):
            yield f"{design['label']}: {text}"
    if document["precision"]:
        yield precision_line(document["precision"])


def _gain(document: dict[str, Any]) -> str:
    """What the pairing was worth."""
    means = [change["metrics"]["ttft_s"]["mean"] for change in document["changes"]]
    gains = [number(found["variance_gain"]) for found in means if found and found["variance_gain"]]
    return f"; unpaired, the difference of mean TTFT would vary {', '.join(gains)} × as much" if gains else ""


def _table() -> Table:
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
