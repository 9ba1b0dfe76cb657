"""Measured runs against simulated ones on a terminal: a block a run, then a table of sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from simulator.study.measured.figures import METRICS, STATISTICS
from simulator.study.measured.summary import (
    HEADLINES,
    Median,
    Pair,
    SetSummary,
    apart,
    by_set,
    headlines,
    lacking,
    pair,
)
from simulator.study.measured.trial import Outcome
from simulator.study.measured.validate import Report

if TYPE_CHECKING:
    from rich.table import Table

NAMES = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "E2E", "throughput": "tokens/s"}
WIDTH = 110
OVERLOAD = {True: "overloaded", False: "keeps up", None: "not known"}


def block(outcome: Outcome) -> Iterator[str]:
    """One row: every figure measured → simulated, and what was assumed."""
    row = outcome.row
    yield f"{row.run}, stage {row.stage}" if row.stage != "all" else row.run
    for metric in METRICS:
        cells = [cell for name in (*STATISTICS, "point") if (cell := _cell(outcome, metric, name))]
        if cells:
            yield f"  {NAMES[metric]:5}" + "  ".join(cells)
    rates = [("output tokens/s", "output_tok_per_s"), ("requests/s", "req_per_s")]
    cells = [f"{name} {arrow(found)}" for name, key in rates if (found := pair(outcome, key)) is not None]
    if cells:
        yield "  " + "  ".join(cells)
    yield from _remarks(outcome)


def _remarks(outcome: Outcome) -> Iterator[str]:
    if outcome.step_ms is not None:
        yield f"  one decode step at the measured load: {outcome.step_ms:.1f} ms"
    measured, simulated = outcome.overloaded
    if measured is not None:
        yield f"  measured: {OVERLOAD[measured]}; simulated: {OVERLOAD[simulated]}"
    if outcome.survivors:
        yield "  requests failed: latencies are of the others and are not scored"
    for name, value in outcome.shapes.items():
        yield f"  {name} {value:.3f}"
    if outcome.marks:
        yield f"  assumed: {'; '.join(outcome.marks)}"
    if outcome.unused:
        yield f"  recorded, without effect here: {' '.join(outcome.unused)}"


def _cell(outcome: Outcome, metric: str, name: str) -> str:
    found = pair(outcome, f"{metric}_{name}_ms")
    return "" if found is None else f"{name} {arrow(found)}"


def arrow(found: Pair) -> str:
    """Measured → simulated, and the error."""
    return f"{figure(found.measured)} → {figure(found.simulated)} ({found.error:+.0%})"


def figure(value: float) -> str:
    """Three figures, or whole numbers."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(report: Report) -> Table:
    """Medians of each set."""
    from rich.table import Table

    found = Table(box=None, pad_edge=False)
    for name in ("median error", "runs", "rows", *(NAMES[metric] for metric in HEADLINES), "overload"):
        found.add_column(name, justify="left" if name == "median error" else "right")
    for summary in by_set(report):
        cells = [percent(summary.headlines.get(metric)) for metric in HEADLINES]
        found.add_row(summary.name, str(summary.runs), str(summary.rows), *cells, verdicts(summary))
    return found


def percent(median: Median | None) -> str:
    """A median error in per cent, and the bias."""
    return "-" if median is None else f"{100 * median.error:.1f} % ({median.bias:.2f})"


def verdicts(summary: SetSummary) -> str:
    """How many verdicts on overload agree, of those that there are."""
    known, agree = summary.verdicts
    return f"{agree} of {known}" if known else "-"


def not_done(report: Report) -> Iterator[str]:
    for name, reason, count in lacking(report):
        yield f"not done: {count} of {name} lack {reason}"


def last_line(report: Report) -> str:
    """The medians over all rows."""
    rows = apart(report.outcomes)
    done = report.runs - len(report.not_done)
    found = headlines(rows)
    medians = ", ".join(
        f"{NAMES[metric]} {100 * found[metric].error:.1f} %" for metric in HEADLINES if metric in found
    )
    return f"{done} of {report.runs} runs; median error over {len(rows)} rows: {medians or 'none'}"


def as_json(report: Report) -> dict[str, Any]:
    """Everything, for machines; errors are simulated / measured − 1."""
    return {
        "runs": report.runs,
        "rows": [_row(outcome) for outcome in report.outcomes],
        "not_done": [
            {"run": entry.rows[0].run, "set": entry.rows[0].set, "lacks": entry.reason}
            for entry in report.not_done
        ],
        "sets": {summary.name: _set(summary) for summary in by_set(report)},
        "medians": _medians(headlines(apart(report.outcomes))),
    }


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        "run": outcome.row.run,
        "set": outcome.row.set,
        "stage": outcome.row.stage,
        "measured": outcome.measured,
        "simulated": outcome.simulated,
        "errors": outcome.errors,
        "overloaded": dict(zip(("measured", "simulated"), outcome.overloaded, strict=True)),
        "scored": not outcome.survivors,
        "decode_step_ms": outcome.step_ms,
        "shapes": outcome.shapes,
        "assumed": outcome.marks,
        "without_effect": outcome.unused,
    }


def _set(summary: SetSummary) -> dict[str, Any]:
    return {
        "runs": summary.runs,
        "rows": summary.rows,
        "medians": _medians(summary.headlines),
        "percentiles": _medians({f"{metric}_{name}": m for (metric, name), m in summary.percentiles.items()}),
        "verdicts": dict(zip(("known", "agree"), summary.verdicts, strict=True)),
        "ttft_left_over_ms": summary.client_ms,
        "tpot_over_step": summary.over_step,
    }


def _medians(found: dict[str, Median]) -> dict[str, Any]:
    return {
        name: {"rows": m.count, "error": m.error, "p90": m.p90, "bias": m.bias} for name, m in found.items()
    }


@contextmanager
def progress(wanted: bool) -> Iterator[Callable[[int, int], None]]:
    """Yields done(runs simulated, runs), which draws a bar on a terminal's stderr."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not (wanted and console.is_terminal)) as drawn:
        task = drawn.add_task("simulating measured runs", total=None)

        def done(count: int, total: int) -> None:
            drawn.update(task, completed=count, total=total)

        yield done
