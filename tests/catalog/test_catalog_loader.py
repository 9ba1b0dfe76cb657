"""The catalogue's reader: entries alone, aliases, completeness of every entry of every file."""

from __future__ import annotations

import time
from dataclasses import fields
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from simulator import catalog
from simulator.errors import InputError

FILES = sorted(path.stem for path in catalog.DIRECTORY.glob("*.yaml"))
ENTRIES = [(kind, name) for kind in catalog.KINDS for name in catalog.names(kind)]


@pytest.mark.parametrize("kind", sorted(set(FILES) & catalog.KINDS.keys()))
def test_an_entry_alone_reads_as_in_the_whole_file(kind: str) -> None:
    whole = YAML(typ="safe", pure=True).load((catalog.DIRECTORY / f"{kind}.yaml").read_text())
    assert catalog.names(kind) == list(whole)
    for name, value in whole.items():
        assert catalog.entry(kind, name) == value


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_every_entry_is_whole_and_has_a_source(kind: str, name: str) -> None:
    entry = catalog.load(kind, name)
    assert entry.name == name
    if kind == "accelerators":
        assert set(entry.sources) >= {field.name for field in fields(entry)} - {
            "name",
            "aliases",
            "sources",
            "kind",
        }
        assert all(entry.sources.values())
    else:
        assert entry.source


@pytest.mark.parametrize("kind", sorted(catalog.KINDS))
def test_no_two_entries_share_an_alias(kind: str) -> None:
    seen: dict[str, str] = {}
    for name in catalog.names(kind):
        for alias in {
            name.lower(),
            *(alias.lower().replace("_", "-") for alias in catalog.load(kind, name).aliases),
        }:
            assert seen.setdefault(alias, name) == name


@pytest.mark.parametrize("alias", ["h100-sxm", "H100", "h100_sxm", "H100 SXM"])
def test_aliases_in_any_case(alias: str) -> None:
    assert catalog.canonical("accelerators", alias) == "h100-sxm"
    assert catalog.load("accelerators", alias) is catalog.load("accelerators", "h100-sxm")
    assert catalog.load("models", "meta-llama/Llama-3.1-8B-Instruct").name == "llama-3.1-8b"


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"f:1:2: unknown accelerator 'h100-sxmm'.*did you mean 'h100-sxm'"):
        catalog.load("accelerators", "h100-sxmm", "f:1:2")
    with pytest.raises(InputError, match="unknown nowhere"):
        catalog.load("nowhere", "x")
    assert catalog.names("nowhere") == []


def test_layers_and_head_size_follow_when_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models.yaml").write_text(
        "tiny:\n  aliases: [small]\n  hidden_size: 64\n  num_hidden_layers: 4\n  num_attention_heads: 8\n"
        "  num_key_value_heads: 2\n  intermediate_size: 128\n  vocab_size: 100\n"
        "  moe_layers: 3\n  sliding_layers: 2\n"
        "  max_position_embeddings: 512\n  source: made up for this test\n"
    )
    monkeypatch.setattr(catalog, "DIRECTORY", tmp_path)
    model = catalog.load("models", "small")
    assert (model.head_dim, model.dense_layers, model.full_attention_layers) == (8, 1, 2)


def test_a_field_that_nobody_knows_is_a_defect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "links.yaml").write_text("wire: {bytes_per_s: 1, latency_s: 0, source: x, colour: red}\n")
    monkeypatch.setattr(catalog, "DIRECTORY", tmp_path)
    with pytest.raises(AssertionError, match=r"unknown fields \['colour'\]"):
        catalog.load("links", "wire")


def test_one_accelerator_and_one_model_load_in_30_ms() -> None:
    times = []
    for _ in range(3):
        for cached in (catalog._entries, catalog._parsed, catalog._aliases, catalog._loaded):
            cached.cache_clear()
        start = time.process_time()
        catalog.load("accelerators", "h100-sxm")
        catalog.load("models", "llama-3.1-8b")
        times.append(time.process_time() - start)
    assert min(times) < 0.03


@pytest.mark.parametrize("kind", FILES)
def test_no_name_is_no_entry(kind: str) -> None:
    """An entry may have an empty list of aliases."""
    assert not catalog.known(kind, "")
    with pytest.raises(InputError):
        catalog.canonical(kind, "")
