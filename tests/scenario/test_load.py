"""Loading a scenario: extends, --set, files relative to where they are named, all faults at once."""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from simulator import catalog
from simulator.errors import InputError, Problem
from simulator.scenario import schema, synthetic
from simulator.scenario.load import assigned, load
from simulator.scenario.positions import plain

HERE = "child.yaml"
Problems = Callable[..., list[Problem]]


def told(problems: Problems, text: str, *sets: str) -> list[str]:
    """Problems as lines, without folders."""
    return [
        str(problem).replace(problem.where, os.path.basename(problem.where), 1)
        for problem in problems(text, *sets)
    ]


def dump(document: dict[str, Any], path: Path) -> None:
    with path.open("w") as stream:
        YAML(typ="safe", pure=True).dump(document, stream)


def test_the_minimal_scenario(minimal: Path) -> None:
    scenario = load(minimal)
    pool = scenario.fleet.pools[0]
    assert (scenario.name, scenario.seed, scenario.slo) == ("minimal", 0, None)
    assert (pool.name, pool.role, pool.replicas, pool.accelerator.name) == ("serve", "both", 1, "h100-sxm")
    assert scenario.fleet.router.name == "round_robin"
    assert scenario.workload.synthetic is not None
    assert scenario.workload.synthetic["arrivals"] == {"kind": "poisson", "normalise": False, "rate": 5.0}


def test_every_fault_is_told_at_once_in_the_order_of_lines(problems: Problems) -> None:
    text = """\
sed: 3
model: {quantization: fp9}
workload: {rate_scale: 0}
fleet:
  pools:
    serve: {replicas: 0, engine: {max_num_seq: 3}}
slo: {ttft: 2 parsecs}
"""
    lines = told(problems, text)
    assert [line.partition(" ")[0] for line in lines] == [
        f"{HERE}:2:1:",
        f"{HERE}:3:23:",
        f"{HERE}:4:24:",
        f"{HERE}:7:23:",
        f"{HERE}:7:35:",
        f"{HERE}:8:13:",
    ]
    assert "unknown key 'sed'" in lines[0]
    assert "(did you mean 'seed'?)" in lines[0]
    assert lines[1].endswith(
        "unknown value 'fp9'; allowed: none, fp8, fp8_block, w8a16, int8, int4, fp4 (did you mean 'fp8'?)"
    )
    assert "(did you mean 'max_num_seqs'?)" in lines[4]
    assert "allowed: ns, us, µs, ms, s, min, m, h, d" in lines[5]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("fleet: {pools: {serve: {accelerator: h100-sxmm}}}", "did you mean 'h100-sxm'?"),
        ("model: {name: llama-3.1-80b}", "did you mean 'llama-3.1-8b'?"),
        ("fleet: {router: round_robbin}", "did you mean 'round_robin'?"),
        ("fleet: {pools: {serve: {engine: {scheduling_policy: fcf}}}}", "did you mean 'fcfs'?"),
        ("fleet: {pools: {serve: {engine: {preset: vllm-0.32}}}}", "did you mean 'vllm-0.33'?"),
        ("workload: {synthetic: {prompt: {knd: constant}}}", "did you mean 'kind'?"),
        ("run: {warm_up: 3 s}", "did you mean 'warmup'?"),
        ("slo: {tppt: 3 s}", "did you mean 'tpot'?"),
    ],
)
def test_the_nearest_valid_name_is_offered(problems: Problems, text: str, wanted: str) -> None:
    assert any(problem.hint == wanted for problem in problems(text))


@pytest.mark.parametrize("name", catalog.names("workloads"))
def test_every_workload_of_the_catalogue_can_be_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "named.yaml"
    fleet = "fleet: {pools: {serve: {accelerator: h100-sxm}}}"
    path.write_text(f"name: a\nmodel: {{name: llama-3.1-8b}}\nworkload: {{synthetic: {name}}}\n{fleet}\n")
    assert load(path).workload.synthetic


def test_what_a_value_should_be_is_said_in_yamls_words(problems: Problems) -> None:
    lines = told(problems, "name: a\nmodel: llama\nworkload: {synthetic: chat}\nfleet: {pools: {}}\n")
    assert any("model: 'llama' is wrong: it should be a mapping" in line for line in lines)
    (line,) = [line for line in told(problems, "fleet: {pools: {serve: null}}\n") if "fleet.pools" in line]
    assert "fleet.pools: {} is wrong: it should not be empty" in line


def test_a_file_that_extends_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("name: b\nextends: a.yaml\n")
    with pytest.raises(InputError, match=r"b.yaml:2:10: extends in a circle: a.yaml"):
        load(tmp_path / "a.yaml")


def test_extends_may_be_a_chain_and_null_deletes(tmp_path: Path, minimal: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "b.yaml").write_text("extends: minimal.yaml\nslo: {ttft: 1 s, tpot: 20 ms}\nseed: 3\n")
    (tmp_path / "deep" / "c.yaml").write_text("extends: ../b.yaml\nname: c\nslo: {tpot: null}\nseed: 4\n")
    scenario = load(tmp_path / "deep" / "c.yaml")
    assert (scenario.name, scenario.seed) == ("c", 4)
    assert scenario.slo is not None
    assert (scenario.slo.ttft_s, scenario.slo.tpot_s) == (1.0, None)
    assert scenario.places["slo.ttft"].endswith("b.yaml:2:13")


def test_a_chain_that_is_too_long_is_refused(tmp_path: Path) -> None:
    for i in range(30):
        (tmp_path / f"{i}.yaml").write_text(f"extends: {i + 1}.yaml\n")
    with pytest.raises(InputError, match="more than 16 files"):
        load(tmp_path / "0.yaml")


@pytest.mark.parametrize("value", ["nowhere.yaml", "[a, b]", "3", "."])
def test_extends_must_be_a_file(tmp_path: Path, value: str) -> None:
    (tmp_path / "a.yaml").write_text(f"extends: {value}\n")
    with pytest.raises(InputError, match=r"a.yaml:1:10: "):
        load(tmp_path / "a.yaml")


def test_set_reads_yaml_values_and_makes_paths() -> None:
    assert plain(assigned("a.b.c=[1, x]")) == {"a": {"b": {"c": [1, "x"]}}}
    assert plain(assigned("a=")) == {}
    assert plain(assigned("a=x=y")) == {"a": "x=y"}


def test_set_wins_over_the_file_and_its_faults_name_it(minimal: Path, problems: Problems) -> None:
    scenario = load(minimal, ["seed=9", "fleet.pools.serve.replicas=3", "slo={ttft: 10 ms}"])
    assert (scenario.seed, scenario.fleet.pools[0].replicas) == (9, 3)
    assert scenario.slo is not None
    assert scenario.slo.ttft_s == 0.01
    assert told(problems, "", "fleet.pools.serve.replicas=many") == [
        "--set fleet.pools.serve.replicas=many: fleet.pools.serve.replicas: 'many' is wrong: "
        "it should be a valid integer"
    ]
    assert told(problems, "", "sed=3")[0].startswith("--set sed=3: unknown key 'sed'")


def test_set_of_null_deletes(minimal: Path) -> None:
    assert load(minimal, ["slo={ttft: 1 s, tpot: 1 s}", "slo.tpot=null"]).slo != load(minimal).slo
    assert load(minimal, ["slo={ttft: 1 s}", "slo=null"]).slo is None


@pytest.mark.parametrize(
    "text", ["", "=", "a", "a..b=3", ".a=3", "a.=1", "extends=x.yaml", "a=[1", "a=!!set {}"]
)
def test_a_wrong_set_is_refused(minimal: Path, text: str) -> None:
    with pytest.raises(InputError, match="--set"):
        load(minimal, [text])


def test_a_missing_trace_is_told_with_the_other_faults(problems: Problems) -> None:
    lines = told(problems, "workload: {synthetic: null, trace: traces/none.csv}\nsed: 1")
    assert lines[0].startswith(f"{HERE}:2:36: no such file: ")
    assert lines[0].endswith(
        "traces/none.csv; allowed: a path relative to this file (or name another: --set workload.trace=PATH)"
    )
    assert len(lines) == 2


def test_a_file_is_relative_to_the_file_that_names_it(tmp_path: Path, minimal: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "trace.csv").write_text("x")
    (tmp_path / "deep" / "base.yaml").write_text(
        "extends: ../minimal.yaml\nworkload: {synthetic: null, trace: trace.csv}\n"
    )
    (tmp_path / "top.yaml").write_text("extends: deep/base.yaml\n")
    scenario = load(tmp_path / "top.yaml")
    assert scenario.workload.trace == str(tmp_path / "deep" / "trace.csv")
    assert scenario.document["workload"]["trace"] == "deep/trace.csv"


def test_a_file_of_set_is_relative_to_the_current_folder(
    tmp_path: Path, minimal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "trace.csv").write_text("x")
    monkeypatch.chdir(tmp_path / "here")
    scenario = load("../minimal.yaml", ["workload.synthetic=null", "workload.trace=trace.csv"])
    assert scenario.workload.trace == str(tmp_path / "here" / "trace.csv")
    assert scenario.document["workload"]["trace"] == "here/trace.csv"


def test_a_router_of_ones_own_is_a_path(tmp_path: Path, minimal: Path, problems: Problems) -> None:
    (tmp_path / "mine.py").write_text("")
    path = tmp_path / "child.yaml"
    for router in ("./mine.py", "{name: mine.py, options: {k: 1}}"):
        assert not problems(f"fleet: {{router: {router}}}")
        assert load(path).fleet.router.name == str(tmp_path / "mine.py")
        assert load(path).document["fleet"]["router"]["name"] == "mine.py"
    assert told(problems, "fleet: {router: other.py}")[0].startswith(f"{HERE}:2:17: no such file")


def test_a_file_that_changed_is_refused(tmp_path: Path, problems: Problems) -> None:
    (tmp_path / "t.csv").write_text("x")
    pins = "workload: {synthetic: null, trace: t.csv}\nfiles:\n  t.csv: "
    right = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert not problems(pins + right)
    assert told(problems, pins + "0" * 64)[0].startswith(f"{HERE}:4:10: files.t.csv: ")
    assert "no such file" in told(problems, f"files: {{t.csv: {right}}}")[0]
    (tmp_path / "moved.csv").write_text("x")
    assert not problems(f"workload: {{synthetic: null, trace: moved.csv}}\nfiles: {{t.csv: {right}}}")


ENGINE = "fleet.pools.serve.engine"
VALID = (
    "seed=3",
    "model.quantization=fp8",
    "model.kv_cache_dtype=fp8",
    "workload.rate_scale=2",
    "workload.limit=7",
    "workload.over_limit=clip",
    "workload.synthetic.arrivals={kind: closed_loop, rate: null, concurrency: 3, think: 2 s}",
    "workload.synthetic.arrivals={kind: gamma, burstiness: 0.5}",
    "workload.synthetic.prompt={kind: quantiles, tokens: null, quantiles: {50: 10, 90: 30}}",
    "workload.synthetic.output={kind: lognormal, tokens: null, mean: 2k, cv: 1}",
    "workload.synthetic.prefix={kind: sessions, turns: 3, think: {kind: exponential, mean: 1 s}}",
    "workload.synthetic.prefix={kind: shared, tokens: 64}",
    "fleet.router=random",
    "fleet.pools.serve.replicas=4",
    "fleet.pools.serve.step_time=10 ms",
    "fleet.pools.serve.tensor_parallel_size=2",
    f"{ENGINE}.enable_chunked_prefill=false",
    f"{ENGINE}.kv_cache_memory_bytes=20 GB",
    f"{ENGINE}.scheduling_policy=priority",
    f"{ENGINE}.max_model_len=4096",
    "slo={ttft: 1 s, e2e: 10 s}",
    "run={warmup: 3 s, duration: 1 min, bin: 500 ms}",
    "run={replications: 3, confidence: 90 %}",
    "prices.h100-sxm=2 $/h",
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(VALID), unique_by=lambda text: text.partition("=")[0]))
def test_any_document_loads_again_to_the_same_scenario(minimal: Path, sets: list[str]) -> None:
    assume(not ("workload.rate_scale=2" in sets and any("closed_loop" in text for text in sets)))
    first = load(minimal, sets)
    dump(first.document, minimal.parent / "again.yaml")
    assert load(minimal.parent / "again.yaml") == first


def test_the_hash_depends_on_contents_not_on_places(tmp_path: Path, minimal: Path) -> None:
    hashes = []
    for folder, content in (("a", "x"), ("b/c", "x"), ("d", "y")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "t.csv").write_text(content)
        path = tmp_path / folder / "s.yaml"
        path.write_text(minimal.read_text())
        trace = f"workload.trace={tmp_path / folder / 't.csv'}"
        hashes.append(load(path, ["workload.synthetic=null", trace]).hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_hash_depends_on_every_value(minimal: Path) -> None:
    changes = [
        [],
        ["seed=1"],
        ["slo.ttft=1 s"],
        ["run.bin=1 s"],
        ["prices.h100-sxm=1"],
        ["workload.rate_scale=2"],
    ]
    assert len({load(minimal, sets).hash for sets in changes}) == len(changes)


def test_the_hash_ignores_how_a_value_is_written(minimal: Path) -> None:
    assert load(minimal, ["slo.ttft=1 s"]).hash == load(minimal, ["slo.ttft=1000 ms"]).hash
    assert load(minimal, ["fleet.router=round_robin"]).hash == load(minimal).hash
    assert load(minimal, ["fleet.pools.serve.accelerator=H100"]).hash == load(minimal).hash


def test_loading_is_quick(minimal: Path) -> None:
    """60 ms excluding imports, the fastest of some, so that a busy machine does not count."""
    load(minimal)
    gc.collect()
    times = []
    for _ in range(5):
        start = time.process_time()
        load(minimal)
        times.append(time.process_time() - start)
    assert min(times) < 0.06


SECTIONS = [part for part in (vars(schema) | vars(synthetic)).values() if hasattr(part, "model_fields")]
KEYS = st.sampled_from(sorted({"extends", "serve", *(key for part in SECTIONS for key in part.model_fields)}))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(
        ["fp8", "50 ms", "both", "-1 s", "h100-sxm", "llama-3.1-8b", "x.py", "1e400", "90 %", ""]
    )
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
DOTTED = st.lists(KEYS, min_size=1, max_size=4).map(".".join)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(DOTTED, VALUES, max_size=4))
def test_whatever_is_written_loads_or_is_refused(minimal: Path, changes: dict[str, Any]) -> None:
    path = minimal.parent / "random.yaml"
    document: dict[str, Any] = {}
    for dotted, value in changes.items():
        *outer, last = dotted.split(".")
        inner = document
        for step in outer:
            inner = inner.setdefault(step, {}) if isinstance(inner, dict) else {}
        if isinstance(inner, dict):
            inner[last] = value
    dump({"extends": "minimal.yaml", **document}, path)
    try:
        load(path)
    except InputError as error:
        told_at = {problem.where for problem in error.problems}
    else:
        told_at = {"somewhere"}
    assert all(told_at)


CONFIG = {
    "model_type": "llama",
    "hidden_size": 2048,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 8192,
    "vocab_size": 128256,
    "max_position_embeddings": 4096,
}


def test_a_model_of_a_config_json_or_inline_is_the_same(tmp_path: Path, minimal: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    shape = json.dumps({key: value for key, value in CONFIG.items() if key != "model_type"})
    models = []
    for model in (
        "{name: mine, config: config.json}",
        f"{{name: mine, config: {shape}}}",
        f"{shape[:-1]}, name: mine}}",
    ):
        (tmp_path / "child.yaml").write_text(f"extends: minimal.yaml\nmodel: {model}\n")
        models.append(load(tmp_path / "child.yaml").model.shape)
    assert models[0] == models[1] == models[2]
    assert (models[0].name, models[0].num_hidden_layers, models[0].head_dim) == ("mine", 16, 64)


@pytest.mark.parametrize(
    "content", ["", "[1]", "{}", '{"model_type": "martian"}', "\xff", '{"model_type": "llama"}']
)
def test_a_config_that_is_none_is_refused(tmp_path: Path, problems: Problems, content: str) -> None:
    (tmp_path / "config.json").write_text(content, encoding="latin-1")
    found = problems("model: {name: null, config: config.json}")
    assert len(found) == 1
    assert "child.yaml:2:" in found[0].where


@pytest.mark.parametrize(
    ("written", "requests"),
    [("100k", 100_000), ("100_000", 100_000), ("1.5k", 1500), ("2M", 2_000_000), ("8Ki", 8192)],
)
def test_counts_take_si_suffixes(minimal: Path, written: str, requests: int) -> None:
    found = load(minimal, [f"workload.limit={written}"])
    assert found.workload.limit == requests
    assert type(found.workload.limit) is int


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("100K", "'100K' is ambiguous"),  # 102,400 to vLLM
        ("0.5k1", "'0.5k1' is no whole number"),
        ("many", "'many' is no whole number"),
        ("0.0001k", "'0.0001k' is no whole number"),
        ("0k", "greater than or equal to 1"),
        ("9e99k", "less than or equal to 2147483647"),
    ],
)
def test_a_count_that_is_none_says_what_would_be(minimal: Path, written: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        load(minimal, [f"workload.limit={written}"])
    (problem,) = caught.value.problems
    assert said in problem.what
    if "than" not in said:
        assert "100_000, 100k" in problem.allowed


def test_a_pipe_is_refused_since_its_hash_would_empty_it(problems: Problems, minimal: Path) -> None:
    os.mkfifo(minimal.parent / "pipe.csv")
    with pytest.raises(InputError, match=r"a pipe or a device, not a file: .*pipe\.csv"):
        load(minimal, ["workload={trace: " + str(minimal.parent / "pipe.csv") + "}"])


def test_a_tab_is_told_as_one(problems: Problems) -> None:
    (problem,) = problems("fleet:\n\tpools: {}")
    assert problem.hint == "YAML indents with spaces, not with tabs"
