"""`sim compare`: the same requests through several designs, pair by pair."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.options import json_option, quiet_option, set_option, workers_option
from simulator.errors import INTERRUPTED, OK, InputError, Problem

if TYPE_CHECKING:
    from simulator.scenario.resolved import Resolved


@click.command()
@click.argument("paths", metavar="SCENARIO…", nargs=-1, type=click.Path(path_type=Path))
@set_option
@click.option(
    "--replications",
    metavar="N",
    type=click.IntRange(1),
    help="Pairs of runs; 1: one run each, its sections paired. Default: the scenarios', or 10.",
)
@workers_option
@click.option(
    "--different-workloads",
    is_flag=True,
    help="Compare designs that are asked for different things, unpaired.",
)
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Where the folder compare-<first>-<hash> goes.",
)
@json_option
@quiet_option
def compare(
    paths: tuple[Path, ...],
    sets: tuple[str, ...],
    replications: int | None,
    workers: int | None,
    different_workloads: bool,
    out: Path,
    as_json: bool,
    quiet: bool,
) -> int:
    """The same arrivals, lengths and prefixes through several designs: what changes from the first, how sure
    that is, and why. --set applies to all of them.

    Exit code 130: interrupted; the pairs that were complete are kept as <folder>-partial.
    """
    from simulator.cli.run import progress_bar
    from simulator.report.compare_folder import save
    from simulator.results.atomic import writable
    from simulator.study.compare import compare as compared
    from simulator.study.parallel import cores

    asked = question(paths, sets, replications, different_workloads)
    writable(out)
    began = time.perf_counter()
    with progress_bar(quiet) as (_, across, watch):
        document = compared(asked, workers or cores(), across, watch)
    folder = save(document, asked.designs, out)
    tell(document, folder, time.perf_counter() - began, as_json, quiet)
    return OK if document["complete"] else INTERRUPTED


def question(
    paths: tuple[Path, ...], sets: tuple[str, ...], replications: int | None, different: bool
) -> Any:
    """What is asked, with as many replications as are named: here, in a scenario, or by default.

    Raises InputError with the faults of all scenarios.
    """
    from simulator.study.compare import DEFAULT, Asked, labelled, replications_named

    problems: list[Problem] = []
    loaded = [_loaded(path, sets, problems) for path in paths]
    if problems:
        raise InputError(list(dict.fromkeys(problems)))
    scenarios = [scenario for scenario in loaded if scenario is not None]
    number = replications or replications_named(scenarios) or DEFAULT
    given = [*sets, f"run.replications={number}"]
    again = [_loaded(path, given, problems) for path in paths]
    if problems:
        raise InputError(list(dict.fromkeys(problems)))
    return Asked(tuple(labelled([scenario for scenario in again if scenario])), number, different)


def _loaded(path: Path, sets: list[str] | tuple[str, ...], problems: list[Problem]) -> Resolved | None:
    from simulator.scenario.load import load

    try:
        return load(path, sets)
    except InputError as error:
        problems.extend(error.problems)
        return None


def tell(document: dict[str, Any], folder: Path, wall_s: float, as_json: bool, quiet: bool) -> None:
    """Prints the outcome to stdout: as a document, as sentences, or as a screen."""
    if as_json:
        told = {"folder": str(folder), "wall_s": wall_s, **document}
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
        return
    if quiet:
        click.echo("\n".join(document["verdict"]["sentences"]))
        return
    from rich.console import Console

    from simulator.report.compare import show

    runs = len(document["designs"]) * document["replications"]
    show(document, Console(highlight=False), (f"simulated {runs} runs in {wall_s:.1f} s", str(folder)))
