"""Scenarios made and changed in Python: the same as files, and as strict."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from runs import SCENARIO

import simulator
from simulator import InputError, Scenario
from simulator.scenario.load import load

ROOT = Path(__file__).parents[2]
RAG = ROOT / "scenarios" / "rag.yaml"
TWIN = ROOT / "scenarios" / "rag-disaggregated.yaml"


def faults(call: Callable[..., object], *args: object) -> list[str]:
    with pytest.raises(InputError) as told:
        call(*args)
    return [str(problem) for problem in told.value.problems]


def test_a_file_is_what_the_command_line_reads() -> None:
    assert Scenario.load(TWIN).resolved == load(TWIN)
    assert Scenario.load(TWIN).hash == load(TWIN).hash


def test_a_text_and_a_mapping_are_the_file() -> None:
    text = TWIN.read_text(encoding="utf-8")
    values = YAML(typ="safe").load(text)
    for made in (Scenario.from_text(text, TWIN.parent), Scenario.from_dict(values, TWIN.parent)):
        assert made.hash == load(TWIN).hash
        assert made.resolved.workload == load(TWIN).workload


def test_with_set_is_set() -> None:
    sets = {"fleet.pools.serve.replicas": 8, "slo.ttft": "1 s", "run.confidence": 0.9}
    scenario = Scenario.load(RAG).with_set(sets)
    assert scenario.resolved == load(RAG, [f"{key}={value}" for key, value in sets.items()])


def test_with_set_leaves_the_first_alone() -> None:
    first = Scenario.load(RAG)
    before = first.hash
    second = first.with_set("seed", 8)
    assert (first.hash, second.resolved.seed) == (before, 8)
    assert first.document["seed"] == 7
    first.document["seed"] = 9
    assert first.resolved.seed == 7


def test_numbers_of_numpy_paths_and_mappings_are_values() -> None:
    scenario = Scenario.load(RAG).with_set(
        {
            "fleet.pools.serve.replicas": np.int64(3),
            "workload.trace": ROOT / "traces" / "ragpulse.parquet",
            "workload.slice": {"start": np.float64(0), "end": 1000.0},
            "slo.tpot": None,
        }
    )
    assert scenario.resolved.fleet.pools[0].replicas == 3
    assert scenario.resolved.workload.slice_s == (0.0, 1000.0)
    assert scenario.resolved.slo is not None and scenario.resolved.slo.tpot_s is None


def test_every_fault_is_told_at_once_with_the_nearest_name() -> None:
    found = faults(
        Scenario.load(RAG).with_set,
        {"fleet.pools.serve.replica": 8, "slo.ttf": "1 s", "fleet.router": "rondom"},
    )
    assert len(found) == 3
    for part in ("replicas", "ttft", "random"):
        assert any(f"did you mean '{part}'" in text for text in found)
    assert all(text.startswith("with_set ") for text in found)


def test_values_that_no_scenario_has_are_told_at_once() -> None:
    found = faults(Scenario.load(RAG).with_set, {"seed": 1j, "slo.ttft": {1, 2}, "a..b": 1, "extends": "x"})
    assert len(found) == 4
    with pytest.raises(TypeError):
        Scenario.load(RAG).with_set("seed")
    with pytest.raises(TypeError):
        Scenario.load(RAG).with_set({"seed": 1}, 2)


def test_a_text_has_lines_a_mapping_has_keys() -> None:
    text = RAG.read_text(encoding="utf-8").replace("replicas: 4", "replicas: 0")
    (told,) = faults(Scenario.from_text, text, RAG.parent)
    assert "<text>:25:17" in told or "<text>:" in told
    values = YAML(typ="safe").load(text)
    (told,) = faults(Scenario.from_dict, values, RAG.parent)
    assert "fleet.pools.serve.replicas" in told


@settings(max_examples=20)
@given(st.integers(1, 64), st.floats(0.1, 10), st.sampled_from(["round_robin", "least_kv", "random"]))
def test_changes_commute_with_the_command_line(replicas: int, scale: float, router: str) -> None:
    values = {"fleet.pools.serve.replicas": replicas, "workload.rate_scale": scale, "fleet.router": router}
    one = Scenario.load(SCENARIO)
    for key, value in values.items():
        one = one.with_set(key, value)
    assert one.hash == Scenario.load(SCENARIO).with_set(values).hash
    assert one.hash == load(SCENARIO, [f"{key}={value!r}" for key, value in values.items()]).hash


def test_what_it_looks_like_is_escaped() -> None:
    scenario = Scenario.load(RAG).with_set("name", "<script>&")
    assert "<script>" not in scenario._repr_html_()
    assert "&lt;script&gt;&amp;" in scenario._repr_html_()
    assert repr(Scenario.load(RAG)) == "<Scenario rag: llama-3.1-70b; serve: 4 × 2 h100-sxm, vllm-0.33>"


def test_yaml_loads_again(tmp_path: Path) -> None:
    scenario = Scenario.load(SCENARIO).with_set("seed", 3)
    (tmp_path / "again.yaml").write_text(scenario.to_yaml(), encoding="utf-8")
    assert Scenario.load(tmp_path / "again.yaml").hash == scenario.hash


def test_the_names_are_lazy_and_there() -> None:
    """Importing the package imports none of what the API needs; asking for a name does."""
    code = (
        "import sys, simulator; assert 'simulator.api' not in sys.modules; "
        "simulator.Scenario; assert 'simulator.api' in sys.modules; "
        "assert not {'pandas', 'scipy', 'rich', 'simpy', 'pydantic'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert {"Scenario", "run", "compare"} <= set(dir(simulator))
    with pytest.raises(AttributeError, match="no attribute 'scenarios'"):
        _ = simulator.scenarios
