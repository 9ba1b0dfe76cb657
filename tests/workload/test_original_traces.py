"""Importers against figures that were computed from the original files, apart from this project.

The originals are looked for in ../shared/traces beside the project, or where SIM_ORIGINAL_TRACES says.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from simulator.workload.columns import UNSHARED, Workload
from simulator.workload.reading import read_trace
from simulator.workload.stats import describe, prefix_hits

PROJECT = Path(__file__).parents[2]
ORIGINALS = Path(os.environ.get("SIM_ORIGINAL_TRACES", PROJECT.parent / "shared" / "traces"))
pytestmark = pytest.mark.skipif(
    not (ORIGINALS / "expected.json").is_file(), reason="the original traces are not beside the project"
)

FILES: dict[str, dict[str, Any]] = {
    "azure/AzureLLMInferenceTrace_code.csv": {},
    "azure/AzureLLMInferenceTrace_conv.csv": {},
    "mooncake/conversation_trace.jsonl.gz": {},
    "mooncake/synthetic_trace.jsonl.gz": {},
    "ragpulse/0_trace.jsonl.gz": {"weeks": "as_written"},
    "vidur/splitwise_code.csv.gz": {},
    "vidur/arxiv_summarization_stats_llama2_tokenizer_filtered_v2.csv.gz": {"arrivals": "at_once"},
    "llmservingsim/workload_me2_01_mixed.jsonl": {},
    "llmservingsim/sharegpt-llama-3.1-8b-300-sps10.lengths.jsonl": {},
    "apex/creation_025.lengths.jsonl": {},
    "apex/lmsys_05.lengths.jsonl": {},
}
SAMPLES = ["azure2023-bom-trailing.csv", "azure2024.csv", "azure2025-multimodal.csv", "vidur.csv"]
SAMPLES += ["burstgpt6.csv", "burstgpt8.csv", "mooncake-dynamo.jsonl"]


def expected(name: str) -> dict[str, Any]:
    figures: dict[str, dict[str, Any]] = json.loads((ORIGINALS / "expected.json").read_text())["files"]
    return figures[name]


def compare(load: Workload, figures: dict[str, Any]) -> None:
    told = describe(load)
    assert told["rows"] == figures["rows"]
    for part in ("prompt_tokens", "output_tokens"):
        assert told[f"{part}_sum"] == figures[f"{part}_sum"]
        assert told[part] == pytest.approx(figures[part], rel=1e-9)
    if "duration_s" in figures:
        assert told["duration_s"] == pytest.approx(figures["duration_s"], abs=1e-6)
        assert told["mean_rate_per_s"] == pytest.approx(figures["mean_rate_per_s"], rel=1e-7)
        assert told["interarrival_cv"] == pytest.approx(figures["interarrival"]["cv"], rel=1e-6)
        dispersion = {
            window: told["index_of_dispersion"][window] for window in figures["index_of_dispersion"]
        }
        index = {w: of and of["index"] for w, of in figures["index_of_dispersion"].items()}
        assert dispersion == {w: value and pytest.approx(value, rel=1e-3) for w, value in index.items()}


@pytest.mark.parametrize("name", FILES)
def test_every_format_reaches_the_figures(name: str) -> None:
    load, figures = read_trace(ORIGINALS / name, options=FILES[name]), expected(name)
    compare(load, figures)
    assert load.provenance["sha256"] == figures["sha256_uncompressed"]
    assert load.provenance["counts"]["rows"] == figures["rows"]
    assert load.provenance["counts"]["out_of_order_rows_sorted"] == figures.get("out_of_order_rows", 0)


def test_ragpulse_unwrapped() -> None:
    figures = expected("ragpulse/0_trace.jsonl.gz")
    load = read_trace(ORIGINALS / "ragpulse")
    compare(load, figures["with_week_wrap_undone"])
    assert len(np.unique(load.session)) == figures["sessions"]


@pytest.mark.parametrize("name", ["conversation", "synthetic"])
def test_mooncakes_prefix_cache(name: str) -> None:
    figures = expected(f"mooncake/{name}_trace.jsonl.gz")["prefix_cache"]
    load = read_trace(ORIGINALS / f"mooncake/{name}_trace.jsonl.gz")
    assert len(load.segment_id) == figures["block_references"]
    assert len(np.unique(load.segment_id)) == figures["distinct_blocks"]
    assert prefix_hits(load, 512) == figures["hit_tokens"]


def test_ragpulses_prefix_cache() -> None:
    figures = expected("ragpulse/0_trace.jsonl.gz")
    load = read_trace(ORIGINALS / "ragpulse", options={"weeks": "as_written"})
    parts = load.segment_tokens[load.segment_id < UNSHARED].sum()
    assert parts == figures["prefix_cache_as_listed_order_block16"]["prompt_tokens_from_components"]
    assert prefix_hits(load, 16) == figures["prefix_cache_as_listed_order_block16"]["hit_tokens"]
    assert prefix_hits(load, 512) == figures["prefix_cache_block512"]["hit_tokens"]


def test_vidurs_copy_of_the_azure_trace_is_the_azure_trace() -> None:
    azure = read_trace(ORIGINALS / "azure/AzureLLMInferenceTrace_code.csv")
    assert read_trace(ORIGINALS / "vidur/splitwise_code.csv.gz") == azure


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_of_formats(name: str) -> None:
    figures, load = expected(f"samples/{name}"), read_trace(ORIGINALS / "samples" / name)
    counts = load.provenance["counts"]
    dropped = counts["zero_output_rows_dropped"] + counts["zero_prompt_rows_dropped"]
    assert len(load) + dropped == counts["rows"] == figures["rows"]
    assert counts["out_of_order_rows_sorted"] == figures.get("out_of_order_rows", 0)
    if not dropped:
        assert load.prompt_tokens.sum() == figures["prompt_tokens_sum"]
        assert load.arrival_s[-1] == pytest.approx(figures["duration_s"], abs=1e-6)
    assert load.output_tokens.sum() == figures["output_tokens_sum"], "what is dropped has no output"


SHIPPED = {
    "azure-code-2023": "azure/AzureLLMInferenceTrace_code.csv",
    "azure-conversation-2023": "azure/AzureLLMInferenceTrace_conv.csv",
    "mooncake-conversation": "mooncake/conversation_trace.jsonl.gz",
    "mooncake-synthetic": "mooncake/synthetic_trace.jsonl.gz",
    "ragpulse": "ragpulse",
}


@pytest.mark.parametrize("name", SHIPPED)
def test_what_we_ship_is_the_original(name: str) -> None:
    shipped = read_trace(PROJECT / "traces" / f"{name}.parquet")
    original = read_trace(ORIGINALS / SHIPPED[name])
    assert original == shipped
    assert original.provenance.items() <= shipped.provenance["origin"].items()


@pytest.mark.slow
def test_the_script_makes_the_same_bytes(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "sim"
    if not program.is_file():
        pytest.skip("the command sim is not installed beside this Python")
    script = ["sh", str(PROJECT / "traces" / "import.sh"), str(ORIGINALS), str(tmp_path)]
    subprocess.run(script, check=True, env=os.environ | {"SIM": str(program)}, capture_output=True)
    for name in SHIPPED:
        made, shipped = (folder / f"{name}.parquet" for folder in (tmp_path, PROJECT / "traces"))
        if pq.read_metadata(made).created_by == pq.read_metadata(shipped).created_by:
            assert made.read_bytes() == shipped.read_bytes()
        assert read_trace(made) == read_trace(shipped)


def test_bailians_prefix_cache_and_chats() -> None:
    figures, load = expected("samples/bailian.jsonl"), read_trace(ORIGINALS / "samples/bailian.jsonl")
    assert (load.prompt_tokens.sum(), load.output_tokens.sum()) == (152, 48)
    assert load.arrival_s[-1] == pytest.approx(figures["duration_s"], abs=1e-6)
    assert prefix_hits(load, 16) == figures["prefix_cache"]["hit_tokens"]
    assert len(np.unique(load.segment_id)) == figures["prefix_cache"]["distinct_blocks"]
    assert len(np.unique(load.session)) == figures["chats"]
    assert load.turn.tolist() == [0, 0, 1]


AGENTIC = sorted(ORIGINALS.glob("agentic/kv-cache-tester/*.json.gz"))


@pytest.mark.parametrize("path", AGENTIC, ids=lambda path: path.name[:10])
def test_agents_sessions(path: Path) -> None:
    figures = expected(f"agentic/kv-cache-tester/{path.name}")
    load = read_trace(path, options={"timing": "recorded"})
    counts = load.provenance["counts"]
    assert counts["rows"] == figures["rows"] == len(load) + counts["zero_output_rows_dropped"]
    assert counts["zero_output_rows_dropped"] == figures["zero_output_rows"]
    assert load.output_tokens.sum() == figures["output_tokens_sum"]
    assert load.provenance["sha256"] == figures["sha256_uncompressed"]
    cache = figures["prefix_cache"]
    if not figures["zero_output_rows"]:
        assert load.prompt_tokens.sum() == figures["prompt_tokens_sum"]
        assert load.arrival_s[-1] == pytest.approx(figures["duration_s"], abs=1e-6)
        assert prefix_hits(load, cache["block_tokens"]) == cache["hit_tokens"]
        assert len(np.unique(load.segment_id[load.segment_id < UNSHARED])) == cache["distinct_blocks"]
    sessions = 1 + figures["subagents"]
    assert len(np.unique(load.session)) <= sessions
    closed = read_trace(path)
    waits = closed.think_s[~np.isnan(closed.think_s)]
    assert len(waits) == len(closed) - len(np.unique(closed.session))


def test_tracelabs_rounds() -> None:
    figures = expected("agentic/tracelab/sanitized_round_trace.jsonl.gz")
    load = read_trace(ORIGINALS / "agentic/tracelab/sanitized_round_trace.jsonl.gz")
    told = describe(load)
    for key in ("rows", "sessions", "prompt_tokens_sum", "output_tokens_sum"):
        assert told[key] == figures[key], key
    assert told["prompt_tokens"] == pytest.approx(figures["prompt_tokens"])
    span = figures["last_first_event_unix_s"] - figures["first_event_unix_s"]
    assert load.arrival_s[-1] == pytest.approx(span, abs=1e-6)
    assert load.provenance["sha256"] == figures["sha256_uncompressed"]


def test_tracelabs_replay_sheet() -> None:
    figures = expected("agentic/tracelab/multi_session_large.csv")
    load = read_trace(ORIGINALS / "agentic/tracelab/multi_session_large.csv")
    told = describe(load)
    for key in ("rows", "sessions", "prompt_tokens_sum", "output_tokens_sum"):
        assert told[key] == figures[key], key
    span = figures["last_session_arrival_ms"] - figures["first_session_arrival_ms"]
    assert load.arrival_s[-1] == pytest.approx(span / 1000, abs=1e-6)
    last = figures["tool_wait_ms_sum"] - 1000 * np.nansum(load.think_s)
    assert last >= -1e-6, "every wait but those after a session's last round"
    outside = load.segment_id % 3 == 0
    assert not outside.any(), "every prefix is the past of its session"
    fresh = [load.segment_tokens[end - 1] for end in load.segment_offset[1:]]
    assert sum(fresh) == figures["input_len_sum"]
    assert load.segment_tokens.sum() - sum(fresh) == figures["prefix_len_sum"]
