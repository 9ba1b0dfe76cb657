"""Values that remember where they were written, and what may be done with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a file (line and column from 1), or an argument of the command line (line 0)."""

    file: str
    line: int = 0
    column: int = 0
    directory: Path = field(default=Path(), compare=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(slots=True)
class Node:
    """A value with its place.

    value: a scalar, a list of Nodes or a dict of Nodes; key: the place of its key; size: the scalars and
    collections in it, aliases expanded.
    """

    value: Any
    where: Where
    key: Where | None = None
    size: int = 1


Place = tuple[str | int, ...]


def plain(node: Node) -> Any:
    """The value alone. A null in a mapping means "not given": the key is left out."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items() if child.value is not None}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def find(node: Node, path: Place) -> Node | None:
    """The node at a path of keys and indices, or None."""
    for step in path:
        children = node.value
        if isinstance(children, dict) and step in children:
            node = children[str(step)]
        elif isinstance(children, list) and isinstance(step, int) and step < len(children):
            node = children[step]
        else:
            return None
    return node


def place(node: Node, path: Place, of_key: bool = False) -> Where:
    """Where a scalar was written, or a collection's key; of what is not there, the innermost thing around."""
    for length in range(len(path), -1, -1):
        found = find(node, path[:length])
        if found is not None:
            of_key = of_key or isinstance(found.value, dict | list)
            return found.key if of_key and found.key else found.where
    return node.where


def merge(base: Node, over: Node) -> Node:
    """`over` laid upon `base`, mapping by mapping; a null in `over` deletes.

    A mapping of both is where the later file has it, which made it so; a --set keeps the file's place.
    """
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    merged = dict(base.value)
    for key, child in over.value.items():
        merged[key] = merge(merged[key], child) if key in merged else child
    owner = over if over.where.line else base
    return Node(merged, owner.where, owner.key)
