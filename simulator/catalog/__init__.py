"""Facts about accelerators, models, links and engines, each with its source.

A catalogue file is YAML: one top-level entry a name, which begins in the first column. Only the entries asked
for are parsed (a whole file costs a tenth of a second), so an entry stands alone: no anchors across entries,
and `aliases` is a flow list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from simulator.errors import InputError, unknown

DIRECTORY = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its source. kind: datasheet, measured, fitted or assumed."""

    value: float | None
    source: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One accelerator. peak_flops: dense FLOP/s by dtype, absent if it cannot run it; hbm_bytes: as a process
    sees it; scaleup_bytes_per_s: per direction and accelerator; scaleup_size: accelerators in one scale-up
    domain; sources: field → where its figure is from."""

    name: str
    vendor: str
    architecture: str
    peak_flops: dict[str, float]
    hbm_bytes: float
    hbm_bytes_per_s: float
    sms: int
    scaleup_bytes_per_s: float
    scaleup_kind: str
    scaleup_size: int
    pcie_bytes_per_s: float
    tdp_w: float
    price_usd_per_hour: float
    aliases: tuple[str, ...] = ()
    kind: str
    sources: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A decoder-only transformer by its config.json, normalised; 0: the model has no such part.
    Layers by kind: dense + moe = full_attention + sliding + linear_attention = num_hidden_layers."""

    name: str
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    intermediate_size: int
    vocab_size: int
    num_experts: int = 0
    num_experts_per_tok: int = 0
    n_shared_experts: int = 0
    moe_intermediate_size: int = 0
    dense_layers: int
    moe_layers: int = 0
    full_attention_layers: int
    sliding_layers: int = 0
    linear_attention_layers: int = 0
    sliding_window: int = 0
    q_lora_rank: int = 0
    kv_lora_rank: int = 0
    qk_nope_head_dim: int = 0
    qk_rope_head_dim: int = 0
    v_head_dim: int = 0
    gated_mlp: bool = True
    attention_output_gate: bool = False
    full_head_dim: int = 0
    full_key_value_heads: int = 0
    sliding_key_value_heads: int = 0
    shared_expert_intermediate_size: int = 0
    index_n_heads: int = 0
    index_head_dim: int = 0
    index_topk: int = 0
    linear_num_key_heads: int = 0
    linear_num_value_heads: int = 0
    linear_key_head_dim: int = 0
    linear_value_head_dim: int = 0
    linear_conv_kernel_dim: int = 0
    learned_positions: int = 0
    tie_word_embeddings: bool = False
    max_position_embeddings: int
    published: str = ""
    source: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link between hosts or accelerators, one direction."""

    name: str
    bytes_per_s: float
    latency_s: float
    source: str
    aliases: tuple[str, ...] = ()
    kind: str = "datasheet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """How KV goes from prefill to decode engines, as connectors.yaml explains. sends: prompt, chunk or layer;
    first_token: decode, prefill or relayed; kind: recorded, read, paper or assumed."""

    name: str
    about: str
    push: bool
    sends: str
    first_token: str
    source: str
    kind: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One release of an engine: its defaults and the rules in which releases differ.

    limits: tiers of default token and sequence limits, largest memory first; defaults: the arguments that
    the engine has; rules: where its scheduler differs from others of its planner: value, what, source, how
    (recorded, read, paper or assumed); nearest_for: releases that were not read and that it is nearest to;
    names: what the engine itself calls an argument.
    """

    name: str
    about: str
    engine: str
    version: str
    planner: str
    limits: list[dict[str, Any]]
    defaults: dict[str, Any]
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    nearest_for: tuple[str, ...] = ()
    source: str
    kind: str
    aliases: tuple[str, ...] = ()


Entry = Accelerator | Model | Link | Connector | Preset
KINDS: dict[str, type[Entry]] = {
    "accelerators": Accelerator,
    "models": Model,
    "links": Link,
    "connectors": Connector,
    "presets": Preset,
}


def load(kind: str, name: str, where: str = "") -> Any:
    """The entry of that name or alias as the kind's dataclass. Raises InputError, with the nearest name."""
    return _loaded(DIRECTORY, kind, canonical(kind, name, where))


def names(kind: str) -> list[str]:
    """The names that a catalogue holds, in the file's order; [] if it has no file."""
    return list(_entries(DIRECTORY, kind))


def entry(kind: str, name: str, where: str = "") -> dict[str, Any]:
    """The entry as its file has it, for what has no dataclass here. Raises InputError if there is none."""
    return _parsed(DIRECTORY, kind, canonical(kind, name, where))


def canonical(kind: str, name: str, where: str = "") -> str:
    """The catalogue's own name for a name or alias, whatever its case. Raises InputError if there is none."""
    found = _aliases(DIRECTORY, kind).get(_plain(name))
    if found is None:
        raise InputError(unknown(where, kind.removesuffix("s"), name, names(kind)))
    return found


def known(kind: str, name: str) -> bool:
    """Whether the catalogue has that name or alias."""
    return _plain(name) in _aliases(DIRECTORY, kind)


_HEAD = re.compile(r"^(?P<name>[A-Za-z0-9][^\s:#]*):", re.MULTILINE)
_ALIASES = re.compile(r"\baliases:\s*\[([^\]]*)\]")


@cache
def _entries(directory: Path, kind: str) -> dict[str, str]:
    """Each entry's text by its name."""
    path = directory / f"{kind}.yaml"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return {head["name"]: text[head.start() : end] for head, end in zip(heads, ends)}


@cache
def _parsed(directory: Path, kind: str, name: str) -> dict[str, Any]:
    from ruamel.yaml import YAML

    loaded = YAML(typ="safe", pure=True).load(_entries(directory, kind)[name])
    return dict(loaded[name])


@cache
def _aliases(directory: Path, kind: str) -> dict[str, str]:
    """Every name and alias, in plain form, to the entry's name."""
    found: dict[str, str] = {}
    for name, text in _entries(directory, kind).items():
        listed = _ALIASES.search(text)
        for alias in (name, *(listed[1].split(",") if listed else ())):
            found.setdefault(_plain(alias.strip().strip("\"'")), name)
    found.pop("", None)  # of an empty list of aliases
    return found


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(" ", "-")


@cache
def _loaded(directory: Path, kind: str, name: str) -> Entry:
    values = {**_parsed(directory, kind, name), "name": name}
    for listed in ("aliases", "nearest_for"):
        if listed in values or listed == "aliases":
            values[listed] = tuple(str(name) for name in values.get(listed, ()))
    if kind == "models":
        _count_layers(values)
    if kind == "accelerators":
        values["sources"] = _sources(values)
    shape = KINDS[kind]
    strangers = values.keys() - {known.name for known in fields(shape)} - {"source", "date", "notes"}
    assert not strangers, f"{kind}.yaml: {name}: unknown fields {sorted(strangers)}"
    return shape(**{known.name: values[known.name] for known in fields(shape) if known.name in values})


def _count_layers(values: dict[str, Any]) -> None:
    layers = values["num_hidden_layers"]
    values.setdefault("head_dim", values["hidden_size"] // values["num_attention_heads"])
    values.setdefault("dense_layers", layers - values.get("moe_layers", 0))
    windowed = values.get("sliding_layers", 0) + values.get("linear_attention_layers", 0)
    values.setdefault("full_attention_layers", layers - windowed)


def _sources(values: dict[str, Any]) -> dict[str, str]:
    """A source for each field: its own, else the entry's."""
    given = dict(values.get("sources", {}))
    return {name: given.get(name, values.get("source", "")) for name in values} | given
