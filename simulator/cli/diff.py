"""`sim diff`: two runs against each other, or a run against what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simulator.cli.options import json_option, quiet_option

if TYPE_CHECKING:
    from simulator.study.diff.side import Side


@click.command()
@click.argument("first", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("second", metavar="RUN_OR_MEASURED", type=click.Path(path_type=Path))
@json_option
@quiet_option
def diff(first: Path, second: Path, as_json: bool, quiet: bool) -> None:
    """What changes from one run folder to another: scenario, metrics, and where the time goes; request by
    request where both were asked for the same.

    The second may be a measured run instead: the result file of `vllm bench serve --save-detailed`, AIPerf's
    profile_export.jsonl or its folder, or CSV with the columns arrival_s, prompt_tokens, output_tokens,
    ttft_s and e2e_s. Then it says by how much the simulation is off.
    """
    from simulator.study.diff.compare import compare

    document = compare(_run(first), _other(second))
    if as_json:
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
        return
    if quiet:
        click.echo(document["verdict"])
        return
    from rich.console import Console

    from simulator.report.diff import show

    show(document, Console(highlight=False))


def _run(path: Path) -> Side:
    from simulator.results.folder import load_run
    from simulator.study.diff.side import simulated

    return simulated(load_run(path, steps=False))


def _other(path: Path) -> Side:
    from simulator.study.diff.files import measured

    return _run(path) if path.joinpath("summary.json").is_file() else measured(path)
