"""Reference pages from the code itself, so that they cannot drift: keys, verbs, catalogues, scenarios."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from simulator import cli
from simulator.scenario.json_schema import json_schema

ROOT = Path(__file__).parents[2]
CATALOGUES = {
    "accelerators": "Datasheet figures, dense. FLOP/s, bytes and bytes/s of one accelerator.",
    "models": "Shapes as their config.json has them.",
    "links": "Ways of the KV cache between replicas.",
    "connectors": "How engines hand the KV cache over, from prefill to decode.",
    "presets": "Engine releases: their defaults, and the rules in which they differ.",
    "workloads": "Named synthetic workloads, fitted to public traces.",
}
PLUGINS = ("routers", "policies", "formats")
MADE = "<!-- Made at each build from the code: nothing to edit here. -->\n\n"


def pages() -> dict[str, str]:
    """Each page's path and Markdown."""
    found = {"reference/keys.md": keys(), "reference/cli.md": verbs(), "reference/scenarios.md": scenarios()}
    found |= {f"reference/{kind}.md": catalogue(kind, about) for kind, about in CATALOGUES.items()}
    found["reference/plugins.md"] = plugins()
    return {path: MADE + text for path, text in found.items()}


def said(*args: str) -> Any:
    """What a command prints as JSON."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = cli.execute([*args, "--json"])
    assert code == 0, (args, printed.getvalue())
    return json.loads(printed.getvalue())


def cell(value: Any) -> str:
    """A value in a cell of a table."""
    return text(value).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(text, value))
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: ""}[value]
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def table(header: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> str:
    lines = [header, ("---",) * len(header), *(tuple(map(cell, row)) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def keys() -> str:
    """Every key of a scenario, section by section as they are nested, from the JSON Schema."""
    schema = json_schema()
    sections = {"Scenario": schema, **schema["$defs"]}
    paths = _paths(sections)
    intro = "# Every key\n\nFrom the schema that `sim schema` prints. How they go together: "
    intro += "[a scenario](../scenario.md).\n"
    return intro + "".join(_section(name, found, sections, paths) for name, found in paths.items())


def _paths(sections: Mapping[str, Any]) -> dict[str, list[str]]:
    """Each section to the dotted keys under which it stands, in the order of a file."""
    found: dict[str, list[str]] = {}

    def walk(name: str, path: str) -> None:
        if not sections[name].get("properties") or path in found.get(name, []):
            return
        found.setdefault(name, []).append(path)
        for key, value in sections[name]["properties"].items():
            inside = json.dumps(value)
            below = f"{path}.{key}".lstrip(".") + (
                ".NAME" if '"additionalProperties": {"$ref"' in inside else ""
            )
            for other in re.findall(r'"#/\$defs/(\w+)"', inside):
                walk(other, below)

    walk("Scenario", "")
    return found


def _section(name: str, paths: list[str], sections: Mapping[str, Any], known: Mapping[str, list[str]]) -> str:
    section = sections[name]
    about = "" if name == "Scenario" else inspect.cleandoc(section.get("description", "")) + "\n\n"
    if len(paths) > 1:
        about += "Also under " + ", ".join(f"`{path}`" for path in paths[1:]) + ".\n\n"
    rows = (
        (f"`{key}`", _type(value), _default(value), value.get("description") or _about(value, sections))
        for key, value in section["properties"].items()
    )
    body = table(("key", "value", "default", "meaning"), rows)
    for other, where in known.items():
        body = body.replace(f"@{other}@", f"[keys of their own](#{_anchor(where[0])})")
    title = f"`{paths[0]}`" if paths[0] else "The whole file"
    return f"\n## {title} {{ #{_anchor(paths[0]) or 'file'} }}\n\n{about}{body}"


def _about(value: Mapping[str, Any], sections: Mapping[str, Any]) -> str:
    """What the section says that stands under a key."""
    name = re.search(r'"#/\$defs/(\w+)"', json.dumps(value))
    return str(sections[name[1]].get("description", "")).split("\n\n")[0] if name else ""


KINDS = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true` or `false`"}
COUNTED = ["integer", "string"]
MOST = 2**31 - 1


def _type(value: Mapping[str, Any]) -> str:
    """What is allowed, in a few words; @Section@ stands for a link."""
    if "$ref" in value:
        return f"@{value['$ref'].rsplit('/', 1)[1]}@"
    if "enum" in value or "const" in value:
        return ", ".join(f"`{item}`" for item in value.get("enum", [value.get("const")]))
    choices = value.get("anyOf", value.get("oneOf"))
    if choices:
        return " or ".join(dict.fromkeys(_type(item) for item in choices if item.get("type") != "null"))
    if "x-unit" in value:
        return f"quantity, such as `{value['examples'][0]}`"
    return _collection(value) or _plain(value)


def _collection(value: Mapping[str, Any]) -> str:
    """Of lists and mappings; "" of others."""
    inner = value.get("items") if value.get("type") == "array" else value.get("additionalProperties")
    of = _type(inner) if isinstance(inner, dict) and inner else ""
    named = {"array": "list of ", "object": "mapping to " if of else "mapping"}.get(
        str(value.get("type")), ""
    )
    return f"{named}{of}" if named else ""


def _plain(value: Mapping[str, Any]) -> str:
    kind, low, high = value.get("type"), value.get("minimum"), value.get("maximum")
    if kind == COUNTED:
        return _plain({**value, "type": "integer"}) + ", or with a suffix: `8k`"
    if kind not in ("integer", "number"):
        return KINDS.get(str(kind), "any")
    bounds = [f" from {low:,}" if low is not None else ""]
    bounds += [f" to {high:,}"] if high is not None and high < MOST else []
    return KINDS[kind] + "".join(bounds)


def _default(value: Mapping[str, Any]) -> str:
    if value.get("default") in (None, {}, [], "") or isinstance(value.get("default"), dict):
        return ""
    return f"`{text(value['default'])}`"


def verbs() -> str:
    """Every verb with its options, from click."""
    intro = "# Every verb\n\n`sim VERB --help` says the same. Exit codes: 0 done, 1 a defect, 2 bad input, "
    intro += "3 SLO missed, 4 validation failed, 130 interrupted.\n"
    context = click.Context(cli.sim, info_name="sim")
    return intro + "".join(_verb(command, context, name) for name, command in _commands(cli.sim, context))


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            inner = click.Context(command, info_name=name, parent=context)
            yield from ((f"{name} {below}", found) for below, found in _commands(command, inner))
        else:
            yield name, command


def _verb(command: click.Command, context: click.Context, name: str) -> str:
    inner = click.Context(command, info_name=f"sim {name}")
    usage = " ".join(command.collect_usage_pieces(inner))
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    rows = (_option(option, inner) for option in options)
    about = inspect.cleandoc(command.help or "").replace("<", "&lt;")
    body = table(("option", "what it does", "default"), rows)
    return f"\n## {name}\n\n```text\nsim {name} {usage}\n```\n\n{about}\n\n{body}"


def _option(option: click.Option, context: click.Context) -> tuple[str, str, str]:
    value = "" if option.is_flag else f" {option.make_metavar(context)}"
    name = ", ".join(f"`{spelt}{value}`" for spelt in (*option.opts, *option.secondary_opts))
    default = option.get_default(context)
    shown = (
        "" if option.is_flag or option.multiple or default is None or callable(default) else f"`{default}`"
    )
    return name, option.help or "", "" if "UNSET" in shown else shown


def catalogue(kind: str, about: str) -> str:
    """Every entry of one kind: a row a figure, with its source."""
    rows = said("list", kind)
    overview = table(("name", "what"), ((f"[{name}](#{_anchor(name)})", line) for name, line in rows.items()))
    entries = "".join(_entry(kind, name) for name in rows)
    intro = f"{about} `sim show NAME` prints an entry, `sim list {kind}` the list."
    return f"# {kind.capitalize()}\n\n{intro}\n\n{overview}{entries}"


def _anchor(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())


def _entry(kind: str, name: str) -> str:
    found = said("show", name)[kind]
    sources = found.pop("sources", None) or {}
    common = found.pop("source", "") or sources.pop("source", "")
    known = sources if isinstance(sources, dict) else {}
    figures = {
        key: value for key, value in found.items() if key != "name" and value not in (None, "", [], {})
    }
    own = {key: known[key] for key in figures if known.get(key, common) != common}
    header = ("figure", "value", "its own source") if own else ("figure", "value")
    rows = ((key, value, own.get(key, ""))[: len(header)] for key, value in figures.items())
    return f"\n## {name} {{ #{_anchor(name)} }}\n\n{table(header, rows)}\nSource: {cell(common)}\n"


def plugins() -> str:
    """Routers, policies and formats, with their options."""
    text = "# Routers, policies, formats\n\nEach is a file; [write your own](../how-to/router.md).\n"
    for kind in PLUGINS:
        text += f"\n## {kind.capitalize()}\n"
        for name in said("list", kind):
            found = said("show", name)[kind]
            text += f"\n### {name} {{ #{kind}-{name} }}\n\n{found['about']}\n"
            if found["options"]:
                text += "\n" + table(("option", "type and default"), iter(found["options"].items()))
    return text


def scenarios() -> str:
    """The scenario files that ship: what to look at, and the file."""
    text = "# Scenarios that ship\n\nIn `scenarios/`. Run one with `sim run scenarios/NAME.yaml`.\n"
    for file in sorted((ROOT / "scenarios").glob("*.yaml")):
        body = file.read_text(encoding="utf-8")
        text += f'\n## {file.stem}\n\n```yaml title="scenarios/{file.name}"\n{body}```\n'
    return text
