"""`sim explain`: where one request's latency went."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simulator.cli.options import json_option, quiet_option, set_option

if TYPE_CHECKING:
    import pyarrow as pa


@click.command()
@click.argument("path", metavar="SCENARIO|RUN_FOLDER", type=click.Path(path_type=Path))
@click.option("--request", "number", metavar="ID", type=int, required=True, help="The request's row, from 0.")
@click.option(
    "--replication", metavar="N", type=int, default=0, show_default=True, help="Of which replication."
)
@set_option
@json_option
@quiet_option
def explain(
    path: Path, number: int, replication: int, sets: tuple[str, ...], as_json: bool, quiet: bool
) -> None:
    """Show where one request's latency went.

    Give the folder of a run, or a scenario, which is then simulated. Requests are numbered by their time
    of arrival, from 0: the column `request` of requests.parquet.
    """
    from simulator.results import waterfall

    name, requests, timeline = tables(path, sets, replication, quiet or as_json)
    explanation = waterfall.explain(requests, timeline, number, replication)
    if as_json:
        click.echo(json.dumps(asdict(explanation), indent=1, ensure_ascii=False))
        return
    from rich.console import Console

    from simulator.report import request

    request.show(explanation, name, Console(highlight=False))


def tables(
    path: Path, sets: tuple[str, ...], replication: int, quiet: bool
) -> tuple[str, pa.Table, pa.Table]:
    """Name, requests and timeline of a saved run, or of a scenario that is simulated now."""
    if path.is_dir():
        from simulator.errors import InputError, Problem
        from simulator.results.folder import load_run

        if sets:
            raise InputError(Problem("--set", "has no effect on a run that is over", "a scenario file"))
        saved = load_run(path)
        return saved.summary["scenario"]["name"], saved.requests, saved.timeline
    from simulator.cli.run import progress_bar
    from simulator.scenario.load import load
    from simulator.simulate import simulate

    scenario = load(path, sets)
    with progress_bar(quiet) as (within, _, _):
        result = simulate(scenario, replication, within)
    if not result.complete:
        raise KeyboardInterrupt
    return scenario.name, result.requests, result.timeline
