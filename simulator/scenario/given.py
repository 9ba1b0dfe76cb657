"""Scenarios that are no files: a text, or Python values."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simulator.errors import InputError, Problem
from simulator.scenario import parse
from simulator.scenario.load import extended
from simulator.scenario.positions import Node, Where, merge


def from_text(text: str, directory: Path = Path()) -> Node:
    """YAML as the document of a file in `directory` that was never written. Raises InputError."""
    path = directory / "<text>"
    return extended(parse.parse(text, Where(str(path), 1, 1, directory)), path)


def from_values(values: Mapping[str, Any], directory: Path = Path()) -> Node:
    """Nested mappings as the document of a file in `directory`. Raises InputError with every wrong value."""
    path = directory / "<values>"
    return extended(_whole(values, Where(str(path), directory=directory)), path)


def assigned(values: Mapping[str, Any]) -> Node:
    """{"a.b.c": value, …} as one document; a value None deletes. Raises InputError with every wrong one."""
    document = Node({}, Where("with_set"))
    problems: list[Problem] = []
    for key, value in values.items():
        where = Where(f"with_set {key}={_short(value)}")
        steps = key.split(".")
        if not all(steps) or steps == ["extends"]:
            problems.append(
                Problem(str(where), f"no key of a scenario: {key!r}", "a dotted key: fleet.router")
            )
            continue
        node = _node(value, where, problems)
        for step in reversed(steps):
            node.key = where
            node = Node({step: node}, where)
        document = merge(document, node)
    if problems:
        raise InputError(problems)
    return document


def _whole(values: Any, where: Where) -> Node:
    problems: list[Problem] = []
    node = _node(values, where, problems)
    if problems:
        raise InputError(problems)
    return node


def _node(value: Any, where: Where, problems: list[Problem]) -> Node:
    """A value of Python or numpy as what YAML would have given."""
    if isinstance(value, Mapping):
        return Node({str(key): _keyed(item, where, problems) for key, item in value.items()}, where)
    if hasattr(value, "tolist"):  # an array or a number of numpy
        value = value.tolist()
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return Node([_node(item, where, problems) for item in value], where)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if value is not None and not isinstance(value, bool | int | float | str):
        allowed = "None, a boolean, a number, a text, a path, or lists and mappings of them"
        problems.append(Problem(str(where), f"a {type(value).__name__} is no value of a scenario", allowed))
    return Node(value, where)


def _keyed(value: Any, where: Where, problems: list[Problem]) -> Node:
    node = _node(value, where, problems)
    node.key = where
    return node


def _short(value: Any, most: int = 40) -> str:
    text = str(value)
    return text if len(text) <= most else text[:most] + "…"
