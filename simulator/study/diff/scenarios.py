"""Where two scenarios differ: key by key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulator.study.diff.side import Side

_ASIDE = {"name", "description", "files"}
DIGITS = 8


def differences(a: Side, b: Side) -> list[dict[str, Any]]:
    """[{key, a, b}]: None where a key is missing; a file is known by what it contains, not by its path."""
    return list(_differences(_document(a), _document(b)))


def _document(side: Side) -> dict[str, Any]:
    from io import StringIO

    from ruamel.yaml import YAML

    assert side.run is not None, "a measurement has no scenario"
    document: dict[str, Any] = YAML(typ="safe", pure=True).load(StringIO(side.run.scenario))
    files = document.get("files") or {}
    kept = {key: value for key, value in document.items() if key not in _ASIDE}
    return {key: _named(value, files) for key, value in kept.items()}


def _named(value: Any, files: dict[str, str]) -> Any:
    """Files by their names and the first digits of their hashes."""
    if isinstance(value, dict):
        return {key: _named(item, files) for key, item in value.items()}
    if isinstance(value, str) and value in files:
        return f"{value.rpartition('/')[2]} ({str(files[value])[:DIGITS]})"
    return value


def _differences(a: Any, b: Any, key: str = "") -> Iterator[dict[str, Any]]:
    """A section that only one side has is one difference, whatever is in it."""
    if isinstance(a, dict) and isinstance(b, dict):
        for name in [*a, *(name for name in b if name not in a)]:
            yield from _differences(a.get(name), b.get(name), f"{key}.{name}" if key else str(name))
    elif a != b:
        yield {"key": key, "a": a, "b": b}
