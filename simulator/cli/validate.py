"""`sim validate`: the simulator held against what real engines did."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simulator.cli.measure import kernels
from simulator.cli.options import json_option, quiet_option
from simulator.errors import VALIDATION_FAILED, InputError, Problem

if TYPE_CHECKING:
    from simulator.study.measured.trial import Settings
    from simulator.study.measured.validate import Report


@click.group()
def validate() -> None:
    """Hold the simulator against what real engines did, and print the difference."""


@validate.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@click.option("--exact", is_flag=True, help="Plan every step request by request, never from totals.")
@click.option("--by-kind", is_flag=True, help="Print how many steps totals answered, by kind of case.")
@json_option
@quiet_option
def schedules(paths: tuple[str, ...], exact: bool, by_kind: bool, as_json: bool, quiet: bool) -> None:
    """Replay recorded engine schedules (files, or folders of them) through the scheduler alone.

    A line a case: identical, or the first step and request that differ, expected and got. Ends with code 4
    unless all are identical.
    """
    from simulator.study import schedules as study

    verdicts = []
    for path in study.cases(list(paths)):
        verdict = study.validate(path, exact)
        verdicts.append(verdict)
        if not as_json and not ((quiet or by_kind) and not verdict.difference):
            click.echo(f"{verdict.name}: {verdict.difference or 'identical'} ({verdict.steps} steps)")
    identical = sum(not verdict.difference for verdict in verdicts)
    if as_json:
        rows = [
            {"name": v.name, "steps": v.steps, "steps_from_totals": v.from_totals, "difference": v.difference}
            for v in verdicts
        ]
        click.echo(json.dumps({"identical": identical, "cases": rows}, indent=1))
    else:
        if by_kind:
            click.echo(study.table(study.by_kind(verdicts)))
        click.echo(f"{identical} identical of {len(verdicts)}")
    if identical < len(verdicts):
        sys.exit(VALIDATION_FAILED)


@validate.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@click.option(
    "--set-name", "sets", multiple=True, metavar="SET", help="Only runs of this set; may be repeated."
)
@click.option("--limit", type=click.IntRange(1), help="Only so many runs of each set.")
@click.option(
    "--seeds", type=click.IntRange(1), default=3, show_default=True, help="Draws of loads that are drawn."
)
@click.option("--accelerator", default="", metavar="NAME", help="Of runs that don't record theirs.")
@click.option("--client-latency", default="0 ms", show_default=True, help="Added to TTFT and E2E.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option("--out", type=click.Path(path_type=Path), help="Also write the page docs/accuracy.md there.")
@json_option
@quiet_option
def runs(
    paths: tuple[str, ...],
    sets: tuple[str, ...],
    limit: int | None,
    seeds: int,
    accelerator: str,
    client_latency: str,
    workers: int,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Simulate measured serving runs and print the error of each.

    PATH is an index of runs (CSV), or a folder of indexes with the files that they name. Nothing is fitted:
    each run's scenario is rebuilt from what was recorded of it. The last line has the medians over all rows.
    """
    from simulator.report.measured import progress
    from simulator.results.atomic import replacing_file, writable
    from simulator.study.measured.validate import validate as simulated

    settings = _settings(seeds, accelerator, client_latency)
    if out is not None:
        writable(out.parent)
    with progress(not quiet) as done:
        report = simulated(list(paths), settings, sets, limit, workers, done)
    if out is not None:
        from simulator.report.measured_page import page
        from simulator.study.measured.published import compare

        text = page(report, compare(list(paths), report.outcomes), settings)
        with replacing_file(out) as new:
            new.write_text(text, encoding="utf-8")
    _print_runs(report, as_json, quiet)


def _settings(seeds: int, accelerator: str, client_latency: str) -> Settings:
    from simulator.study.measured.trial import Settings
    from simulator.units import quantity

    try:
        return Settings(seeds, accelerator, quantity(client_latency, "s"))
    except ValueError as error:
        raise InputError(Problem("--client-latency", str(error))) from None


def _print_runs(report: Report, as_json: bool, quiet: bool) -> None:
    from rich.console import Console

    from simulator.report import measured

    if as_json:
        click.echo(json.dumps(measured.as_json(report), indent=1))
        return
    if not quiet:
        for outcome in report.outcomes:
            click.echo("\n".join(measured.block(outcome)))
        for line in measured.not_done(report):
            click.echo(line)
        Console(width=max(Console().width, measured.WIDTH)).print(measured.table(report))
    click.echo(measured.last_line(report))


validate.add_command(kernels)
