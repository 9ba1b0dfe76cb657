"""`sim report`: the page of a run or a comparison, written again from its folder."""

from __future__ import annotations

import json
from pathlib import Path

import click

from simulator.cli.options import json_option, quiet_option
from simulator.errors import InputError, Problem


@click.command()
@click.argument("folders", metavar="FOLDER…", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
@quiet_option
def report(folders: tuple[Path, ...], as_json: bool, quiet: bool) -> None:
    """Write report.html again into the folders of runs and comparisons.

    The page is one file that needs no network; from an unchanged folder it has the same bytes.
    """
    problems: list[Problem] = []
    written = [page for folder in folders if (page := _written(folder, problems)) is not None]
    if problems:
        raise InputError(problems)
    if as_json:
        click.echo(json.dumps({"pages": [str(page) for page in written]}, indent=1, ensure_ascii=False))
    elif not quiet:
        for page in written:
            click.echo(f"{page} ({page.stat().st_size:,} bytes)")


def _written(folder: Path, problems: list[Problem]) -> Path | None:
    from simulator.report.folders import write
    from simulator.report.page import FILE

    try:
        return write(folder)
    except InputError as error:
        problems.extend(error.problems)
    except OSError as error:
        problems.append(
            Problem(str(folder / FILE), f"cannot be written: {error.strerror}", "a writable folder")
        )
    return None
