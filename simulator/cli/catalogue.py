"""`sim list` and `sim show`: what the catalogues hold, each figure with its source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass
from typing import Any

import click

from simulator import catalog, plugins
from simulator.cli.options import json_option, quiet_option
from simulator.errors import InputError, unknown

FACTS = ("accelerators", "models", "links", "connectors", "presets", "workloads")
CODE = ("routers", "policies", "formats", "planners")


@click.command("list")
@click.argument("kind", metavar="KIND")
@json_option
@quiet_option
def list_names(kind: str, as_json: bool, quiet: bool) -> None:
    """List the names of one kind, with a line about each.

    KIND is one of accelerators, models, links, connectors, presets, workloads, routers, policies, formats
    and planners.
    """
    if kind not in (*FACTS, *CODE):
        raise InputError(unknown("", "kind", kind, (*FACTS, *CODE)))
    rows = {name: _about(kind, name) for name in _names(kind)}
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    width = max(map(len, rows), default=0)
    for name, about in rows.items():
        click.echo(name if quiet else f"{name.ljust(width)}  {about}".rstrip())


@click.command()
@click.argument("name")
@json_option
@quiet_option
def show(name: str, as_json: bool, quiet: bool) -> None:
    """Show a catalogue entry, each figure with its source, or what a router, policy or format does.

    --quiet: each figure without its source.
    """
    found = {kind: _details(kind, name) for kind in (*FACTS, *CODE) if _has(kind, name)}
    if not found:
        every = [known for kind in (*FACTS, *CODE) for known in _names(kind)]
        raise InputError(unknown("", "name", name, every))
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for kind, details in found.items():
        click.echo(f"{kind}: {details.pop('name')}")
        _print(details, quiet)


def _names(kind: str) -> list[str]:
    return catalog.names(kind) if kind in FACTS else plugins.names(kind)


def _has(kind: str, name: str) -> bool:
    return catalog.known(kind, name) if kind in FACTS else name in plugins.names(kind)


def _about(kind: str, name: str) -> str:
    if kind in CODE:
        return plugins.describe(kind, name)
    return ABOUT.get(kind, _first_line)(catalog.entry(kind, name))


def _accelerator(entry: dict[str, Any]) -> str:
    memory = f"{entry['hbm_bytes'] / 1e9:.0f} GB at {entry['hbm_bytes_per_s'] / 1e12:.2f} TB/s"
    return f"{entry['vendor']} {entry['architecture']}, {memory}, {_peak(entry)}, {entry['kind']}"


def _peak(entry: dict[str, Any]) -> str:
    peaks = entry["peak_flops"]
    if "bf16" in peaks:
        return f"{peaks['bf16'] / 1e12:.0f} TFLOPS bf16"
    return f"{peaks['fp16'] / 1e12:.0f} TFLOPS fp16 (no bf16: runs such models in fp16)"


def _model(entry: dict[str, Any]) -> str:
    experts = f", {entry['num_experts']} experts" if entry.get("num_experts") else ""
    size = f"{entry['num_hidden_layers']} layers of {entry['hidden_size']}"
    return f"{size}{experts}, up to {entry['max_position_embeddings']:,} tokens"


def _first_line(entry: dict[str, Any]) -> str:
    return str(entry.get("about") or entry.get("source", ""))


ABOUT = {"accelerators": _accelerator, "models": _model}


def _details(kind: str, name: str) -> dict[str, Any]:
    """All that is known of one entry, its name first."""
    if kind in CODE:
        return {"name": name, "about": _doc(kind, name), "options": dict(_options(kind, name))}
    own = catalog.canonical(kind, name)
    if kind == "presets":
        return {"name": own, **_preset(catalog.load(kind, name))}
    known = asdict(catalog.load(kind, name)) if kind in catalog.KINDS else catalog.entry(kind, name)
    if kind == "accelerators" and "bf16" not in known["peak_flops"]:
        known["bf16"] = "none: models in bf16 run in fp16, at its rate"
    return {"name": own, **{key: value for key, value in known.items() if key != "name"}}


def _preset(preset: catalog.Preset) -> dict[str, Any]:
    """A preset with a line a tier of limits, and a line a rule: its value, what it says, source, how sure."""
    known = asdict(preset)
    for i, tier in enumerate(known.pop("limits")):
        known[f"limits {i + 1}"] = {key: value for key, value in tier.items() if value not in ([], ())}
    sources = {"source": preset.source}
    for rule, said in known.pop("rules").items():
        known[f"rule {rule}"] = f"{said['value']}: {said['what']}"
        sources[f"rule {rule}"] = f"{said['how']}: {said['source']}"
    return {key: value for key, value in known.items() if value not in ({}, ())} | {"sources": sources}


def _doc(kind: str, name: str) -> str:
    return (plugins.find(kind, name).__doc__ or "").strip()


def _options(kind: str, name: str) -> Iterator[tuple[str, str]]:
    """Each option of a plug-in: its type and default."""
    options = getattr(plugins.find(kind, name), "Options", None)
    if options is not None and is_dataclass(options):
        for option in fields(options):
            yield option.name, f"{option.type}, default {option.default!r}"


def _print(details: dict[str, Any], quiet: bool) -> None:
    """A line a figure, its own source behind it; the source that covers the others last; quiet: no source."""
    sources = details.pop("sources", {})
    common = sources.get("source", details.pop("source", ""))
    sources, common = ({}, "") if quiet else (sources, common)
    width = max(map(len, details))
    for key, value in details.items():
        own = sources.get(key, common)
        source = f"  [{own}]" if own != common else ""
        click.echo(f"  {key.ljust(width)}  {_shown(value)}{source}")
    for key in sorted(sources.keys() - details.keys() - {"name", "source"}):
        click.echo(f"  {key.ljust(width)}  {sources[key]}")
    if common:
        click.echo(f"  {'source'.ljust(width)}  {common}")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_shown(item) for item in value)
    return f"{value:.10g}" if isinstance(value, float) else str(value)
