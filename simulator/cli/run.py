"""`sim run`: simulate a scenario, print its table, write a run folder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.options import json_option, quiet_option, scenario_argument, set_option, workers_option
from simulator.errors import INTERRUPTED, OK, SLO_MISSED, InputError, Problem

if TYPE_CHECKING:
    from simulator.results.run import RunResult
    from simulator.scenario.resolved import Resolved
    from simulator.simulate import Progress
    from simulator.study.parallel import Watch
    from simulator.study.replicate import Told


@click.command()
@scenario_argument
@set_option
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Where the run folder <scenario>-<hash> goes.",
)
@click.option(
    "--replications", metavar="N", type=click.IntRange(1), help="The same as --set run.replications=N."
)
@workers_option
@click.option("--steps", is_flag=True, help="Also write steps.parquet, a row a step.")
@click.option(
    "--skip-bad-rows", is_flag=True, help="Leave out and count rows of the trace that cannot be read."
)
@click.option("--exact", is_flag=True, help="Plan every step request by request; slower, the same result.")
@click.option("--assert", "asserted", is_flag=True, help="End with code 3 when the SLO is missed.")
@json_option
@quiet_option
def run(
    path: Path,
    sets: tuple[str, ...],
    out: Path,
    replications: int | None,
    workers: int | None,
    steps: bool,
    skip_bad_rows: bool,
    exact: bool,
    asserted: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Simulate a scenario, print its table and write a run folder.

    Exit code 3: --assert and the SLO is missed; 130: interrupted, what there is is kept as <folder>-partial.
    """
    from simulator.results.atomic import writable
    from simulator.scenario.load import load

    given = [*sets, *([f"run.replications={replications}"] if replications else [])]
    given += ["workload.skip_bad_rows=true"] if skip_bad_rows else []
    scenario = load(path, given)
    if asserted and scenario.slo is None:
        raise InputError(Problem("--assert", "has no effect: the scenario has no slo", "slo: {ttft: 2 s, …}"))
    writable(out)
    began = time.perf_counter()
    result = simulated(scenario, workers, steps, exact, quiet)
    summary, folder = keep(result, out)
    tell(result, summary, folder, time.perf_counter() - began, as_json, quiet)
    if not result.complete:
        return INTERRUPTED
    return SLO_MISSED if asserted and summary["verdict"]["met"] is not True else OK


def simulated(
    scenario: Resolved, workers: int | None, keep_steps: bool, exact: bool, quiet: bool
) -> RunResult:
    """Every replication, until interrupted."""
    from simulator.study.parallel import cores
    from simulator.study.replicate import How, replicate

    how = How(keep_steps, exact)
    with progress_bar(quiet) as (within, across, watch):
        return replicate(scenario, workers or cores(), how, across, within, watch)


def keep(result: RunResult, out: Path) -> tuple[dict[str, Any], Path]:
    """The summary, and the folder that was written."""
    from simulator.report import run_folder
    from simulator.results.summary import summarise

    summary = summarise(result)
    return summary, run_folder.keep(result, summary, out)


def tell(
    result: RunResult, summary: dict[str, Any], folder: Path, wall_s: float, as_json: bool, quiet: bool
) -> None:
    """Prints the outcome to stdout: as a document, as a sentence, or as a screen."""
    ended = summary["requests"]["all"] - summary["requests"]["unfinished"]
    if as_json:
        speed = {"wall_s": wall_s, "requests_per_s": ended / wall_s}
        click.echo(
            json.dumps({"folder": str(folder), "simulation": speed, **summary}, indent=1, ensure_ascii=False)
        )
        return
    if quiet:
        click.echo(summary["verdict"]["sentence"])
        return
    from rich.console import Console

    from simulator.report import terminal
    from simulator.report.sparks import shapes

    steps = result.counters.get("engine_steps", 0)
    line = terminal.speed(ended, result.simulated_s, wall_s, steps)
    console = Console(highlight=False)
    shown = console.is_terminal and not summary["saturation"]["saturated"]
    drawn = shapes(result.requests, summary["warmup"]["cut_s"]) if shown else {}
    terminal.show(summary, console, (line, str(folder)), drawn)


@contextmanager
def progress_bar(quiet: bool) -> Iterator[tuple[Progress | None, Told | None, Watch | None]]:
    """A line on stderr if it is a terminal; yields what tells of one run, of the runs that are done, and of
    those that go on.
    """
    import sys

    if quiet or not sys.stderr.isatty():
        yield None, None, None
        return
    from simulator.report.progress import shown

    with shown(sys.stderr) as display:
        yield display.within, display.across, display.watch
