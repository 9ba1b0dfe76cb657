"""The JSON Schema of a scenario file: descriptions, ranges, defaults, the names of each catalogue."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from types import ModuleType
from typing import Any

from simulator import catalog, plugins
from simulator.scenario import schema, synthetic

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """A draft 2020-12 schema; nothing is required, since what a file leaves out, its `extends` may have."""
    made = schema.Scenario.model_json_schema()
    made["properties"]["extends"] = {"type": "string"}
    made["required"] = []
    texts = _descriptions(schema) | _descriptions(synthetic)
    texts["Scenario", "extends"] = "The path of a scenario, relative to this file, that this one changes."
    for name, section in (("Scenario", made), *made["$defs"].items()):
        for key, value in section["properties"].items():
            if (name, key) in texts:
                value["description"] = texts[name, key]
    _fill(made)
    return {"$schema": DIALECT, **made}


def _descriptions(module: ModuleType) -> dict[tuple[str, str], str]:
    """(class, field) → the string below the field; read from the source, so that runs don't pay for it."""
    found = {}
    for section in ast.parse(inspect.getsource(module)).body:
        body = section.body if isinstance(section, ast.ClassDef) else []
        for field, text in pairwise(body):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=key)), ast.Expr(value=ast.Constant(value=str(said))):
                    assert isinstance(section, ast.ClassDef)
                    found[section.name, key] = said
    return found


def _fill(part: Any) -> None:
    """Puts a catalogue's names in place of each x-names, anywhere in the schema."""
    if isinstance(part, list):
        for item in part:
            _fill(item)
    if isinstance(part, dict):
        kind = part.pop("x-names", None)
        if kind is not None:
            part["examples"] = catalog.names(kind) if kind in catalog.KINDS else plugins.names(kind)
        for item in list(part.values()):
            _fill(item)
