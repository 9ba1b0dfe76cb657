"""`sim trace`: production traces from any known format into the product's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.options import json_option, quiet_option
from simulator.errors import InputError, Problem

if TYPE_CHECKING:
    from simulator.workload.columns import Workload


@click.group("trace")
def trace() -> None:
    """Production traces: import from any known format."""


@trace.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--out", metavar="FILE", required=True, type=click.Path(path_type=Path), help="The Parquet file to write."
)
@click.option(
    "--format", "kind", metavar="NAME", help="The format; default: by content. See `sim list formats`."
)
@click.option(
    "--option", "-o", "options", metavar="KEY=VALUE", multiple=True, help="An option of the format."
)
@click.option("--skip-bad-rows", is_flag=True, help="Leave out rows that cannot be read, and count them.")
@click.option("--source", metavar="TEXT", help="Where the file is from; kept in what is written.")
@click.option("--licence", metavar="TEXT", help="Under which licence; kept likewise.")
@click.option("--cite", metavar="TEXT", help="How its authors want to be named; kept likewise.")
@json_option
@quiet_option
def import_trace(
    path: Path,
    out: Path,
    kind: str | None,
    options: tuple[str, ...],
    skip_bad_rows: bool,
    as_json: bool,
    quiet: bool,
    **told: str | None,
) -> None:
    """Read the trace at PATH and write it as Parquet, with where it is from.

    PATH may be gzip. The same content, options and version give the same bytes.
    """
    from dataclasses import replace

    from simulator.results.atomic import replacing_file
    from simulator.workload.formats.parquet import write
    from simulator.workload.reading import read_trace

    load = read_trace(path, kind, dict(map(_option, options)), skip_bad_rows=skip_bad_rows)
    origin = {name: text for name, text in told.items() if text}
    load = replace(load, provenance=load.provenance | origin)
    with replacing_file(out) as new:
        write(load, new)
    if as_json:
        click.echo(json.dumps(_report(load, out), indent=2, ensure_ascii=False))
    elif not quiet:
        _print(load, out)


def _option(text: str) -> tuple[str, Any]:
    """KEY=VALUE, the value a number if it is one."""
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(Problem("--option", f"{text!r} has no value", "KEY=VALUE"))
    return key, int(value) if value.isdecimal() else value


def _report(load: Workload, out: Path) -> dict[str, Any]:
    from simulator.workload.stats import describe

    return {"out": str(out), "bytes": out.stat().st_size, "provenance": load.provenance, **describe(load)}


def _print(load: Workload, out: Path) -> None:
    """The figures by which an import is checked, and what was changed."""
    report = _report(load, out)
    rate = report["mean_rate_per_s"]
    lines = {
        "format": f"{load.provenance['format']}, sha256 {load.provenance['sha256']}",
        "requests": f"{len(load):,}",
        "prompt tokens": f"{report['prompt_tokens_sum']:,}",
        "output tokens": f"{report['output_tokens_sum']:,}",
        "duration": f"{report['duration_s']:,.3f} s" + (f", {rate:.4g} requests/s" if rate else ""),
        "with shared text": f"{report['requests_with_segments']:,} requests, {report['sessions']:,} sessions",
    }
    counts = load.provenance.get("counts", {})
    changes = {name.replace("_", " "): count for name, count in counts.items() if count and name != "rows"}
    lines |= {"changed": ", ".join(f"{count:,} {name}" for name, count in changes.items()) or "nothing"}
    lines |= {"written": f"{out} ({report['bytes']:,} bytes)"}
    for label, text in lines.items():
        click.echo(f"{label:<17} {text}")
