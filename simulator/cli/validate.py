"""`sim validate`: the simulator held against what real engines did."""

from __future__ import annotations

import json
import sys

import click

from simulator.cli.measure import kernels
from simulator.cli.options import json_option, quiet_option
from simulator.errors import VALIDATION_FAILED


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


validate.add_command(kernels)
