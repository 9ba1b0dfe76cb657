"""The files that a scenario names: where they are, whether they are there, and what they contain."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from simulator.errors import Problem
from simulator.scenario.positions import Node, Place, find, place

LENGTHS = ("prompt", "output")


def named(document: Node) -> dict[Place, Path]:
    """Each value that names a file, to that file: relative to the file in which the value was written."""
    found = {}
    for path in _places(document):
        node = find(document, path)
        if node is not None and isinstance(node.value, str) and _is_path(path, node.value):
            found[path] = node.where.directory / node.value
    return found


def _places(document: Node) -> Iterator[Place]:
    yield ("workload", "trace")
    yield ("model", "config")
    yield ("cost", "correction")
    for length in LENGTHS:
        for source in ("trace", "file"):
            yield ("workload", "synthetic", length, source)
    yield from _plugin(("fleet", "router"))
    pools = find(document, ("fleet", "pools"))
    for pool in pools.value if pools is not None and isinstance(pools.value, dict) else ():
        yield from _plugin(("fleet", "pools", pool, "router"))
        yield from _plugin(("fleet", "pools", pool, "engine", "scheduling_policy"))
        members = find(document, ("fleet", "pools", pool, "members"))
        for member in members.value if members is not None and isinstance(members.value, dict) else ():
            at = ("fleet", "pools", pool, "members", member)
            yield from _plugin((*at, "engine", "scheduling_policy"))


def _plugin(path: Place) -> Iterator[Place]:
    yield path
    yield (*path, "name")


def _is_path(path: Place, value: str) -> bool:
    """A router or policy is a file only if it ends in .py, a correction in .npz; the others always are."""
    suffix = {"fleet": ".py", "cost": ".npz"}.get(str(path[0]), "")
    return value.endswith(suffix)


def missing(document: Node, files: dict[Place, Path]) -> list[Problem]:
    """A problem for each file that isn't there, or cannot be read (twice: its hash is taken first)."""
    found = {path: (file, _fault(file)) for path, file in files.items()}
    return [_missing(document, path, *told) for path, told in found.items() if told[1]]


def _missing(document: Node, path: Place, file: Path, fault: str) -> Problem:
    hint = f"or name another: --set {'.'.join(map(str, path))}=PATH"
    what = f"{fault}: {file.as_posix()}"
    return Problem(str(place(document, path)), what, "a path relative to this file", hint)


def _fault(file: Path) -> str:
    """What keeps it from being read; empty if nothing does."""
    if not _exists(file):
        return "no such file"
    if not file.is_file() and not file.is_dir():
        return "a pipe or a device, not a file"
    return "" if os.access(file, os.R_OK) else "not readable by you"


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except (OSError, ValueError):  # a name too long, or with a null character
        return False


def sha256(path: Path) -> str:
    """Of a file's bytes, or of the names and bytes of a folder's files; hex."""
    if path.is_dir():
        parts = [f"{file.name} {sha256(file)}" for file in sorted(path.iterdir()) if file.is_file()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def shown(path: Path, top: Path) -> str:
    """A file as a scenario in the folder `top` would name it."""
    return Path(os.path.relpath(path, top)).as_posix()
