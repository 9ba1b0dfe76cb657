"""From a scenario's dotted keys to where they were written, for faults found after it was resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from simulator.errors import InputError, Problem
from simulator.scenario.positions import Node, Place, place


def places(document: Node) -> dict[str, str]:
    """Each dotted key of a document to where it was written; "" to the document's beginning."""
    found: dict[str, str] = {}

    def walk(node: Node, path: Place) -> None:
        found[".".join(map(str, path))] = str(place(document, path))
        for key, child in node.value.items() if isinstance(node.value, dict) else ():
            walk(child, (*path, key))

    walk(document, ())
    return found


def positioned(error: InputError, known: Mapping[str, str]) -> InputError:
    """The same problems, those that name a dotted key at the place of that key or of the one around it."""
    return InputError([_positioned(problem, known) for problem in error.problems])


def _positioned(problem: Problem, known: Mapping[str, str]) -> Problem:
    key = problem.where
    while key:
        if key in known:
            return replace(problem, where=known[key], what=f"{problem.where}: {problem.what}")
        key = key.rpartition(".")[0]
    return problem
