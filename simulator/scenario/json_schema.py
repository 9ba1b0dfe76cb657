"""The JSON Schema of a scenario file, with the names of the catalogues filled in."""

from __future__ import annotations

from typing import Any

from simulator import catalog, plugins
from simulator.scenario.schema import Scenario

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """A draft 2020-12 schema: descriptions, ranges, defaults, and the names that each catalogue has."""
    schema = Scenario.model_json_schema()
    schema["properties"]["extends"] = {
        "type": "string",
        "description": "The path of a scenario, relative to this file, that this one changes.",
    }
    schema["required"] = []  # what a file leaves out, the one that it extends may have
    _fill(schema)
    return {"$schema": DIALECT, **schema}


def _fill(schema: Any) -> None:
    """Puts the names in place of each x-names, anywhere in the schema."""
    if isinstance(schema, list):
        for item in schema:
            _fill(item)
    if isinstance(schema, dict):
        kind = schema.pop("x-names", None)
        if kind in catalog.KINDS:
            schema["examples"] = catalog.names(kind)
        elif kind:
            schema["examples"] = plugins.names(kind)
        for item in list(schema.values()):
            _fill(item)
