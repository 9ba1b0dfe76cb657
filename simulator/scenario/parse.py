"""YAML text into Nodes, from the parser's events, one at a time.

No tag is ever executed; size, depth and what aliases expand to are bounded before anything is built.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from simulator.errors import InputError, Problem
from simulator.scenario.positions import Node, Where

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_NODES = 50_000
MAX_NUMBER = 40  # characters; longer ones are text


def read(path: Path, shown: str) -> Node:
    """A file's document. Raises InputError if it is missing, too large, or not YAML that we accept."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        inner = path / "scenario.yaml"
        hint = f"the scenario of this run: {shown}/scenario.yaml" if inner.is_file() else ""
        what = f"cannot read: {getattr(error, 'strerror', error)}"
        raise InputError(Problem(shown, what, hint=hint)) from None
    if len(data) > MAX_BYTES:
        raise InputError(Problem(shown, "the file is too large", f"up to {MAX_BYTES:,} bytes"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(Problem(shown, f"not UTF-8 text: byte {error.start}")) from None
    return parse(text, Where(shown, 1, 1, path.parent))


def parse(text: str, start: Where) -> Node:
    """The one document of a text as a Node; an empty text is an empty mapping. Raises InputError."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return _Builder(start).build(YAML(typ="safe", pure=True).parse(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part) or "not YAML"
        hint = "YAML indents with spaces, not with tabs" if "'\\t'" in what else ""
        raise InputError(Problem(str(_at(start, mark)), f"not valid YAML: {what}", hint=hint)) from None
    except (YAMLError, ValueError, RecursionError, AssertionError) as error:
        first = str(error).strip().split("\n")[0]
        raise InputError(Problem(str(start), f"not valid YAML: {first or type(error).__name__}")) from None


def _at(start: Where, mark: Any) -> Where:
    if mark is None or not start.line:
        return start
    return Where(start.file, mark.line + 1, mark.column + 1, start.directory)


class _Builder:
    """A stack of open collections, fed with the parser's events."""

    def __init__(self, start: Where) -> None:
        self.start = start
        self.open: list[tuple[Node, str | None]] = []  # collection, its anchor
        self.keys: list[
            tuple[str, Where] | None
        ] = []  # of each open mapping: the key that waits for its value
        self.anchors: dict[str, Node] = {}
        self.root: Node | None = None
        self.nodes = 0

    def build(self, events: Iterator[Any]) -> Node:
        steps: dict[str, Callable[[Any], None]] = {
            "DocumentStartEvent": self.start_document,
            "ScalarEvent": self.add_scalar,
            "AliasEvent": self.add_alias,
            "MappingStartEvent": lambda event: self.begin(event, {}),
            "SequenceStartEvent": lambda event: self.begin(event, []),
            "MappingEndEvent": self.end,
            "SequenceEndEvent": self.end,
        }
        for event in events:
            steps.get(type(event).__name__, _ignore)(event)
        return self.root if self.root is not None else Node({}, self.start)

    def refuse(self, event: Any, what: str, allowed: str = "") -> InputError:
        return InputError(Problem(str(_at(self.start, event.start_mark)), what, allowed))

    def start_document(self, event: Any) -> None:
        if self.root is not None:
            raise self.refuse(event, "a second document", "one document a file")

    def add_scalar(self, event: Any) -> None:
        self._check(event)
        as_written = event.value if event.style else scalar(event.value)
        self._add(event, Node(as_written, _at(self.start, event.start_mark)), event.value)

    def add_alias(self, event: Any) -> None:
        target = self.anchors.get(event.anchor)
        if target is None:
            raise self.refuse(event, f"alias *{event.anchor} refers to nothing complete before it")
        self._add(event, Node(target.value, target.where, size=target.size), str(target.value))

    def begin(self, event: Any, value: Any) -> None:
        self._check(event)
        if len(self.open) >= MAX_DEPTH:
            raise self.refuse(event, "nested too deeply", f"up to {MAX_DEPTH} levels")
        if self._waits_for_key():
            raise self.refuse(event, "a mapping or list as a key", "text as a key")
        self.open.append((Node(value, _at(self.start, event.start_mark)), event.anchor))
        self.keys.append(None)

    def end(self, event: Any) -> None:
        node, anchor = self.open.pop()
        self.keys.pop()
        self._add(event, node, "", anchor)

    def _check(self, event: Any) -> None:
        if getattr(event, "tag", None) not in (None, "!"):
            raise self.refuse(event, f"a tag: {event.tag}", "plain values, without tags")

    def _waits_for_key(self) -> bool:
        return bool(self.open) and isinstance(self.open[-1][0].value, dict) and self.keys[-1] is None

    def _add(self, event: Any, node: Node, text: str, anchor: str | None = None) -> None:
        """Put a finished node where it belongs: the root, a list, a mapping's key or a mapping's value."""
        anchor = anchor or (event.anchor if type(event).__name__ == "ScalarEvent" else None)
        if anchor:
            self.anchors[anchor] = node
        if not self.open:
            self.root = node
            return
        parent = self.open[-1][0]
        parent.size += node.size
        self.nodes = max(self.nodes, parent.size)
        if self.nodes > MAX_NODES:
            raise self.refuse(event, "the document expands to too much", f"up to {MAX_NODES:,} values")
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif self.keys[-1] is None:
            self._take_key(event, parent, text)
        else:
            name, where = self.keys[-1]
            node.key = where
            parent.value[name] = node
            self.keys[-1] = None

    def _take_key(self, event: Any, parent: Node, text: str) -> None:
        if text in parent.value:
            first = parent.value[text].key
            raise self.refuse(event, f"duplicate key {text!r}", f"once; it is already at {first}")
        self.keys[-1] = (text, _at(self.start, event.start_mark))


def _ignore(event: Any) -> None:
    """Stream and document marks carry nothing."""


_CONSTANTS: Mapping[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?\d[\d_]*|0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(
    r"[-+]?(\.\d[\d_]*|\d[\d_]*(\.[\d_]*)?)([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)


def scalar(text: str) -> Any:
    """A plain scalar by YAML 1.2's core rules, _ allowed between digits: null, boolean, number, else text."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) > MAX_NUMBER:
        return text
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if _FLOAT.fullmatch(text):
        return float(
            text.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf").replace(".n", "n")
        )
    return text
