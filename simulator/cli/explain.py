"""`sim explain`: where one request's latency went, what the slowest have in common, what limits a pool."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.options import json_option, quiet_option, set_option
from simulator.errors import InputError, Problem, unknown

if TYPE_CHECKING:
    import pyarrow as pa

MOST_POINTS, LEAST_POINTS, BESIDE = 60, 12, 22
"""Points of a course over time on the widest and the narrowest screen; columns for what stands beside."""


@click.command()
@click.argument("path", metavar="SCENARIO|RUN_FOLDER", type=click.Path(path_type=Path))
@click.option("--request", "number", metavar="ID", type=int, help="A request: its row, from 0.")
@click.option(
    "--percentile",
    metavar="METRIC:pNN",
    help="The slowest: ttft:p99, or of tpot, e2e or queue; any percentile.",
)
@click.option("--pool", metavar="NAME", help="A pool of replicas.")
@click.option(
    "--replication",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of which replication.",
)
@set_option
@json_option
@quiet_option
def explain(
    path: Path,
    number: int | None,
    percentile: str | None,
    pool: str | None,
    replication: int,
    sets: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> None:
    """Explain one thing about a run: --request, where one request's latency went; --percentile, what the
    slowest have in common; --pool, what limits a pool and what would relieve it.

    Give the folder of a run, or a scenario, which is then simulated. Requests are numbered by their time of
    arrival, from 0: the column `request` of requests.parquet.
    """
    asked = [
        name
        for name, given in (("request", number), ("percentile", percentile), ("pool", pool))
        if given is not None
    ]
    if len(asked) != 1:
        what = (
            f"{' and '.join(f'--{name}' for name in asked)}: one thing at a time"
            if asked
            else "nothing is asked"
        )
        raise InputError(Problem("", what, "one of --request ID, --percentile METRIC:pNN, --pool NAME"))
    if percentile is not None:
        from simulator.results.slow import question

        question(percentile)  # before a scenario is simulated
    run = read(path, sets, replication, quiet or as_json)
    if number is not None:
        _request(run, number, as_json)
    elif percentile is not None:
        _percentile(run, percentile, as_json)
    else:
        _pool(run, str(pool), as_json)


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is explained: what summary.json says, its tables, and the replication that is asked for."""

    summary: dict[str, Any]
    requests: pa.Table
    timeline: pa.Table
    replication: int

    @property
    def name(self) -> str:
        return str(self.summary["scenario"]["name"])

    @property
    def cut_s(self) -> float:
        return float(self.summary["warmup"]["cut_s"])


def read(path: Path, sets: tuple[str, ...], replication: int, quiet: bool) -> Run:
    """A saved run, or a scenario that is simulated now."""
    if path.is_dir():
        from simulator.results.folder import load_run, replications

        if sets:
            raise InputError(Problem("--set", "has no effect on a run that is over", "a scenario file"))
        saved = load_run(path, steps=False)
        replications(saved.summary, replication)
        return Run(saved.summary, saved.requests, saved.timeline, replication)
    from simulator.cli.run import progress_bar
    from simulator.results.summary import summarise
    from simulator.scenario.load import load
    from simulator.simulate import simulate

    scenario = load(path, sets)
    with progress_bar(quiet) as (within, _, _):
        result = simulate(scenario, replication, within)
    if not result.complete:
        raise KeyboardInterrupt
    return Run(summarise(result), result.requests, result.timeline, replication)


def _request(run: Run, number: int, as_json: bool) -> None:
    from simulator.results import waterfall

    explanation = waterfall.explain(run.requests, run.timeline, number, run.replication)
    if as_json:
        _print(asdict(explanation))
        return
    from simulator.report import request

    request.show(explanation, run.name, _console())


def _percentile(run: Run, text: str, as_json: bool) -> None:
    from simulator.report import slow as screen
    from simulator.results import slow

    metric, p = slow.question(text)
    found = slow.explain(run.requests, run.timeline, run.cut_s, metric, p, run.replication)
    if as_json:
        _print(asdict(found) | {"sentences": screen.sentences(found)})
        return
    growing = run.summary["saturation"]["saturated"]
    notes = ("the queue grows without end: who comes late is slow",) if growing else ()
    screen.show(found, run.name, _console(), notes)


def _pool(run: Run, name: str, as_json: bool) -> None:
    from simulator.results.pool_course import pool_course

    if name not in run.summary["pools"]:
        raise InputError(unknown("--pool", "pool", name, run.summary["pools"]))
    console = _console()
    room = MOST_POINTS if as_json else min(MOST_POINTS, max(console.width - BESIDE, LEAST_POINTS))
    course = pool_course(run.timeline, name, run.cut_s, run.replication, room)
    if as_json:
        from simulator.results.summary import clean

        verdict = run.summary["verdict"]["limits"][name]
        _print({"pool": name, "verdict": verdict, **run.summary["pools"][name], **clean(asdict(course))})
        return
    from simulator.report import pool

    pool.show(run.summary, name, course, console)


def _print(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, indent=1, ensure_ascii=False))


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False)
