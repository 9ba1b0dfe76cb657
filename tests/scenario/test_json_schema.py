"""The JSON Schema: every field described, ranges and names given."""

from __future__ import annotations

from typing import Any

from simulator.scenario.json_schema import json_schema


def sections() -> dict[str, Any]:
    schema = json_schema()
    return {"Scenario": schema, **schema["$defs"]}


def test_every_field_says_what_it_is() -> None:
    silent = [
        f"{name}.{key}"
        for name, section in sections().items()
        for key, value in section["properties"].items()
        if "description" not in value and "$ref" not in value and "$ref" not in value.get("anyOf", [{}])[0]
    ]
    assert silent == []


def test_every_section_is_strict_and_described() -> None:
    for name, section in sections().items():
        open_to_options = name == "PolicySection"  # they are checked against the policy's own
        assert section["additionalProperties"] is open_to_options, name
        assert section["description"], name


def test_names_ranges_and_units_are_there() -> None:
    pool = sections()["PoolSection"]["properties"]
    assert "h100-sxm" in pool["accelerator"]["anyOf"][0]["examples"]
    assert "h100-sxm" in sections()["MemberSection"]["properties"]["accelerator"]["examples"]
    assert (pool["replicas"]["minimum"], pool["replicas"]["maximum"]) == (1, 4096)
    assert pool["step_time"]["anyOf"][0]["examples"] == ["50 ms"]
    assert json_schema()["required"] == []
    assert "extends" in json_schema()["properties"]
