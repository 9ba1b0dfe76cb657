"""The run folder: written whole or not at all, the same bytes for the same run, and read again."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from simulator.errors import InputError, Problem
from simulator.results.atomic import replacing
from simulator.results.run import RunResult
from simulator.results.summary import SCHEMA
from simulator.scenario.resolved import Resolved

TABLES = ("requests", "timeline", "density", "steps")
_NAME_BYTES = 200  # with the hash and what a temporary folder adds, under the 255 of file systems


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A run folder as read: its tables, its summary, and the text of its scenario.yaml."""

    path: Path
    summary: dict[str, Any]
    scenario: str
    requests: pa.Table
    timeline: pa.Table
    density: pa.Table | None
    steps: pa.Table | None


def folder_of(run: RunResult, parent: Path) -> Path:
    """reports/<scenario>-<first eight digits of its hash>."""
    return parent / file_name(run.scenario.name, f"-{run.scenario.hash[:8]}")


def file_name(name: str, ending: str, before: str = "") -> str:
    """A scenario's name in that of a file or folder: it never leads out of its parent, nor gets too long."""
    tame = re.sub(r"[/\\:\x00-\x1f]+", "-", name).lstrip(".")
    return before + tame.encode()[:_NAME_BYTES].decode(errors="ignore") + ending


def save(
    run: RunResult, summary: dict[str, Any], target: Path, pages: Mapping[str, str] | None = None
) -> Path:
    """Writes the folder beside its place, then moves it there; an older run of that name is replaced.

    pages: further files by name, such as the report.

    Raises InputError if `target` is there and is no run folder: nothing of the user's is ever removed.
    """
    with replacing(target, "run folder", "summary.json") as new:
        _write(run, summary, new, target)
        for name, text in (pages or {}).items():
            new.joinpath(name).write_text(text, encoding="utf-8")
    return target


def _write(run: RunResult, summary: dict[str, Any], folder: Path, target: Path) -> None:
    document = moved(run.scenario.document, written_in(run.scenario), target)
    folder.joinpath("scenario.yaml").write_text(to_yaml(document), encoding="utf-8")
    text = json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False)
    folder.joinpath("summary.json").write_text(text + "\n", encoding="utf-8")
    for name in TABLES:
        table = getattr(run, name)
        if table is not None:
            write_table(table, folder / f"{name}.parquet")


def write_table(table: pa.Table, path: Path) -> None:
    """Floats and growing numbers barely repeat: dictionaries only for labels and small counts."""
    plain = (
        "_s",
        "seconds",
        "intensity",
        "flops",
        "bytes",
        "running",
        "waiting",
        "_use",
        "_share",
        "busy",
        "mfu",
        "mbu",
        "request",
    )
    coded = [name for name in table.column_names if not name.endswith(plain)]
    pq.write_table(table, path, compression="zstd", use_dictionary=coded, write_statistics=False)


def written_in(scenario: Resolved) -> Path | None:
    """The folder of the scenario's file; None for one that has none."""
    place = scenario.places.get("")
    return Path(place.rsplit(":", 2)[0]).parent if place else None


def moved(document: Any, old: Path | None, new: Path) -> Any:
    """A scenario's document as it reads in the folder `new`: its relative paths lead to the same files."""
    files = document.get("files", {})
    if old is None or not files:
        return document
    there = {name: Path(os.path.relpath(old / name, new)).as_posix() for name in files}

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {there.get(key, key): walk(item) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item) for item in value]
        return there.get(value, value) if isinstance(value, str) else value

    return walk(document)


def to_yaml(document: dict[str, Any]) -> str:
    """The document as YAML, its keys in their order."""
    from io import StringIO

    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # the stub knows only its default
    out = StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def load_run(path: str | Path, steps: bool = True) -> SavedRun:
    """A saved run; steps False leaves its steps unread. Raises InputError if there is none at `path`, or one
    of another schema.
    """
    folder = Path(path)
    summary = read_summary(folder)
    requests, timeline = (read_table(folder, name) for name in ("requests", "timeline"))
    density = read_table(folder, "density", needed=False)
    each = read_table(folder, "steps", needed=False) if steps else None
    scenario = folder.joinpath("scenario.yaml").read_text(encoding="utf-8")
    return SavedRun(folder, summary, scenario, requests, timeline, density, each)


def within(folder: Path, *marks: str) -> str:
    """A hint for who names the folder that runs went to, in place of a run's: the runs in it, a few of them.

    marks: files by which its folder is known; a run's unless said. Empty where there are none.
    """
    inner = sorted(folder.iterdir()) if folder.is_dir() else []
    shown = [one for one in inner if not one.name.startswith(".")]  # one that is being written is hidden
    found = [one for one in shown if any(one.joinpath(mark).is_file() for mark in marks or ("summary.json",))]
    if not found:
        return ""
    if len(found) == 1:
        return f"did you mean {str(found[0])!r}?"
    more = f"one of {len(found) - 1} more" if len(found) > 2 else repr(str(found[1]))
    return f"did you mean {str(found[0])!r} or {more}?"


def read_summary(folder: Path) -> dict[str, Any]:
    """Raises InputError if there is none or its schema is another."""
    if not folder.joinpath("summary.json").is_file():
        what = "is no run folder"
        raise InputError(Problem(str(folder), what, "a folder that `sim run` wrote", within(folder)))
    summary: dict[str, Any] = json.loads(folder.joinpath("summary.json").read_text(encoding="utf-8"))
    if summary.get("schema") != SCHEMA:
        raise InputError(
            Problem(str(folder), f"was written with schema {summary.get('schema')}", f"schema {SCHEMA}")
        )
    return summary


def replications(summary: dict[str, Any], asked: int = 0) -> int:
    """How many a run has. Raises InputError if the one that is asked for is not among them."""
    known: int = summary["replications"]
    if not 0 <= asked < known:
        raise InputError(Problem("--replication", f"no replication {asked}", f"0 to {known - 1}"))
    return known


def read_table(folder: Path, name: str, needed: bool = True) -> Any:
    """One of TABLES; None for one that is not there and not needed, else raises InputError."""
    path = folder / f"{name}.parquet"
    if path.is_file():
        return pq.read_table(path)
    if needed:
        raise InputError(Problem(str(folder), f"lacks {path.name}", "a whole run folder"))
    return None
