"""A scenario from its file: what it extends, what the command line sets, every fault at its place."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.errors import InputError, Problem, nearest
from simulator.scenario import parse
from simulator.scenario.files import missing, named
from simulator.scenario.positions import Node, Where, merge, place, plain
from simulator.scenario.resolved import Resolved

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario

MAX_EXTENDS = 16
MAX_SHOWN = 60  # characters of a wrong value
_KINDS = {
    "model_type": "it should be a mapping",
    "dict_type": "it should be a mapping",
    "too_short": "it should not be empty",
}


def load(path: str | os.PathLike[str], sets: Sequence[str] = ()) -> Resolved:
    """The scenario in the file at `path`, with "KEY=VALUE" of `sets` laid upon it.

    Raises InputError with every fault that can be told at once.
    """
    return resolved(read(path, sets))


def resolved(document: Node) -> Resolved:
    """A document that is whole, validated and resolved. Raises InputError with every fault."""
    from simulator.scenario.resolve import resolve

    files = named(document)
    return resolve(validate(document, missing(document, files)), document, files)


def read(path: str | os.PathLike[str], sets: Sequence[str] = ()) -> Node:
    """The document with what it extends and what is set, not validated yet. Raises InputError."""
    shown = os.fspath(path)
    document = extended(parse.read(Path(path), shown), Path(path))
    for assignment in sets:
        document = merge(document, assigned(assignment))
    return document


def extended(node: Node, path: Path, below: tuple[Path, ...] = ()) -> Node:
    """A document laid upon the file that it extends; path: its own file. Raises InputError."""
    if not isinstance(node.value, dict):
        raise InputError(
            Problem(str(node.where), "a scenario is a mapping", "name, model, workload, fleet, …")
        )
    parent = node.value.pop("extends", None)
    if parent is None or parent.value is None:
        return node
    if not isinstance(parent.value, str):
        raise InputError(
            Problem(str(parent.where), "extends must be one path", "the path of a scenario file")
        )
    target = path.parent / parent.value
    chain = (*below, path.resolve())
    if target.resolve() in chain:
        raise InputError(Problem(str(parent.where), f"extends in a circle: {parent.value}"))
    if len(chain) >= MAX_EXTENDS:
        raise InputError(Problem(str(parent.where), f"extends more than {MAX_EXTENDS} files in a row"))
    if not target.is_file():
        raise InputError(Problem(str(parent.where), f"no such file: {parent.value}", "relative to this file"))
    return merge(extended(parse.read(target, os.fspath(target)), target, chain), node)


def assigned(assignment: str) -> Node:
    """ "a.b.c=VALUE" as a document that holds only that. Raises InputError."""
    where = Where(f"--set {assignment}")
    key, equals, text = assignment.partition("=")
    steps = key.strip().split(".")
    if not equals or not all(steps):
        raise InputError(
            Problem(str(where), "not an assignment", "KEY=VALUE with a dotted KEY: fleet.router=random")
        )
    if steps == ["extends"]:
        raise InputError(Problem(str(where), "extends cannot be set here", "a key of the scenario"))
    node = parse.parse(text, where) if text.strip() else Node(None, where)
    for step in reversed(steps):
        node.key = where
        node = Node({step: node}, where)
    return node


def validate(document: Node, problems: Sequence[Problem] = ()) -> Scenario:
    """The document as a Scenario. Raises InputError with every fault, and the `problems` known already."""
    from pydantic import ValidationError

    from simulator.scenario.schema import Scenario

    try:
        scenario = Scenario.model_validate(plain(document))
    except ValidationError as error:
        found = [problem for item in error.errors(include_url=False) for problem in _problems(document, item)]
        raise InputError(in_order([*problems, *found])) from None
    if problems:
        raise InputError(in_order(problems))
    return scenario


def in_order(problems: Sequence[Problem]) -> list[Problem]:
    """Each problem once, in the order of the file's lines."""

    def by_line(problem: Problem) -> tuple[str, ...]:
        file, *numbers = problem.where.rsplit(":", 2)
        return (file, *(number.rjust(9) for number in numbers))

    return sorted(dict.fromkeys(problems), key=by_line)


def _problems(document: Node, item: Any) -> list[Problem]:
    """A pydantic error as problems at their places."""
    path, context = tuple(item["loc"]), item.get("ctx", {})
    if item["type"] == "scenario_section":
        return [_at(document, path + tuple(below), *said) for below, *said in context["faults"]]
    if item["type"] == "scenario":
        return [_at(document, path, context["what"], context["allowed"], context["hint"])]
    if item["type"] == "extra_forbidden":
        return [_unknown_key(document, path)]
    if item["type"] == "literal_error":
        return [_not_among(document, path, item)]
    if item["type"] == "missing":
        return [Problem(str(place(document, path)), f"{_name(path)} is missing")]
    return [_at(document, path, _said(item))]


def _at(document: Node, path: tuple[Any, ...], what: str, allowed: str = "", hint: str = "") -> Problem:
    name = _name(path)
    return Problem(str(place(document, path)), f"{name}: {what}" if name else what, allowed, hint)


def _name(path: tuple[Any, ...]) -> str:
    return ".".join(str(step) for step in path if not str(step).startswith("["))


def _said(item: Any) -> str:
    """What pydantic says, with the value; its "Input should be …" is what is allowed."""
    shown = repr(item["input"])
    shown = shown if len(shown) <= MAX_SHOWN else shown[:MAX_SHOWN] + "…"
    told = _KINDS.get(item["type"]) or re.sub(r"^(Input|String) should", "it should", str(item["msg"]))
    return f"{shown} is wrong: {told}"


def _not_among(document: Node, path: tuple[Any, ...], item: Any) -> Problem:
    """A word that is not one of a few."""
    allowed = re.findall(r"'([^']*)'", item["ctx"]["expected"])
    close = nearest(str(item["input"]), allowed)
    hint = f"did you mean {close!r}?" if close else ""
    return _at(document, path, f"unknown value {item['input']!r}", ", ".join(allowed), hint)


def _unknown_key(document: Node, path: tuple[Any, ...]) -> Problem:
    from simulator.scenario.keys import keys_at

    known = keys_at(path[:-1])
    close = nearest(str(path[-1]), known)
    hint = f"did you mean {close!r}?" if close else ""
    where = str(place(document, path, of_key=True))
    return Problem(where, f"unknown key {_name(path)!r}", ", ".join(sorted(known)), hint)
