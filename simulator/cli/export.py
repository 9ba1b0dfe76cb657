"""`sim export`: a run in the formats of other tools."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.options import json_option, quiet_option
from simulator.errors import InputError, Problem
from simulator.units import quantity

if TYPE_CHECKING:
    from simulator.report.export.source import Told

NAMES = ("perfetto", "vllm-bench", "aiperf", "csv", "prometheus")
PATIENCE_S = 2.0


@click.command()
@click.argument("path", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--format", "name", type=click.Choice(NAMES), required=True, help="Which tool's.")
@click.option(
    "--out",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="The file, or for aiperf and csv the folder. Default: beside the run folder, with its name.",
)
@click.option(
    "--replication",
    metavar="N",
    type=int,
    default=0,
    show_default=True,
    help="Which of several replications.",
)
@click.option(
    "--from", "begin", metavar="TIME", help="Of a trace (perfetto), only from then on: 20 s, 5 min."
)
@click.option("--until", "end", metavar="TIME", help="Of a trace (perfetto), only until then.")
@json_option
@quiet_option
def export(
    path: Path,
    name: str,
    out: Path | None,
    replication: int,
    begin: str | None,
    end: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write a run for other tools: a trace for ui.perfetto.dev (packed if PATH ends in .gz), the result file
    of `vllm bench serve`, AIPerf's artifacts, CSV files, or Prometheus text with vLLM's names.

    Says which columns of the run the format cannot carry. Some formats carry more when the run recorded its
    steps: `sim run --steps`.
    """
    from simulator.report.export.carried import left_out
    from simulator.report.export.formats import FORMATS, default
    from simulator.report.export.source import open_run

    source = open_run(path, replication, window(name, begin, end))
    with progress(quiet or as_json) as told:
        carried = FORMATS[name].write(source, out or default(path, name), told)
    missing = left_out(source, carried)
    notes = [*_which(source.summary["replications"], replication), *carried.notes]
    files = [{"path": str(file), "bytes": file.stat().st_size} for file in carried.files]
    document = {"format": name, "files": files, "rows": source.rows, "left_out": missing, "notes": notes}
    if as_json:
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
        return
    click.echo("\n".join(_told(document, carried.columns, quiet)))


def window(name: str, begin: str | None, end: str | None) -> tuple[float, float]:
    """Seconds from when and until when. Raises InputError for times that are none, or that have no effect."""
    found = [-math.inf, math.inf]
    for place, (option, text) in enumerate((("--from", begin), ("--until", end))):
        if text is None:
            continue
        if name != "perfetto":
            raise InputError(Problem(option, f"has no effect on {name}", "--format perfetto"))
        try:
            found[place] = quantity(text, "s")
        except ValueError as error:
            raise InputError(Problem(option, str(error))) from None
    if found[0] >= found[1]:
        raise InputError(Problem("--until", "is not after --from"))
    return found[0], found[1]


def _which(replications: int, number: int) -> list[str]:
    return [f"replication {number} of {replications}"] if replications > 1 else []


def _told(document: dict[str, Any], carried: Mapping[str, Any], quiet: bool) -> Iterator[str]:
    """The files, then what is not in them."""
    for file in document["files"]:
        yield file["path"] if quiet else f"{file['path']} ({_size(file['bytes'])})"
    if quiet:
        return
    yield from document["notes"]
    for table, names in document["left_out"].items():
        if names:
            yield f"not carried, of {table}: {', '.join(names) if carried.get(table) else 'all columns'}"


def _size(count: int) -> str:
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"


@contextmanager
def progress(quiet: bool) -> Iterator[Told]:
    """A bar on stderr if it is a terminal and the work takes longer than two seconds."""
    import sys
    import time

    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), TextColumn("{task.percentage:.0f} %"), TimeRemainingColumn(compact=True))
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1, visible=False)

        def told(done: int, total: int) -> None:
            visible = time.monotonic() - began > PATIENCE_S
            bar.update(task, completed=done, total=total, visible=visible)

        yield told
