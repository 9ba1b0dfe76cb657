"""The traces that we ship hold what their owners published: figures of the originals, computed apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest

from simulator.workload.reading import read_trace
from simulator.workload.stats import describe, prefix_hits

TRACES = Path(__file__).parents[2] / "traces"


class Facts(NamedTuple):
    """Of the original file; source: where its owner keeps it."""

    rows: int
    prompt_tokens: int
    output_tokens: int
    duration_s: float
    p50: tuple[float, float]
    p99: tuple[float, float]
    sha256: str
    licence: str
    source: str


AZURE = "github.com/Azure/AzurePublicDataset @ b469a113cedca53ddc3bdea71a143dc4b7d8700c"
MOONCAKE = "github.com/kvcache-ai/Mooncake @ 3b5a594133958449a1feaf1c9e0fc1b553e34a28"
RAGPULSE = "github.com/flashserve/RAGPulse @ 3672232d45d749fdcf45dbc38cc77e5264af4a32"
FACTS = {
    "azure-code-2023": Facts(
        8819, 18059974, 245896, 3435.948056, (1469, 13), (7436, 251.46),
        "54e9a6d2a4bd06ba1e060304b900abbc74cbea53de96506e60fe5bb4f2277fb6", "CC-BY-4.0", AZURE),
    "azure-conversation-2023": Facts(
        19366, 22361870, 4088665, 3501.721937, (1020, 129), (4142, 601),
        "2f1e5b666d4e3055fdbba98598ce2ec307767b9064e03e2fa46676dbcc7d0bf8", "CC-BY-4.0", AZURE),
    "mooncake-conversation": Facts(
        12031, 144793823, 4122048, 3536.999, (6909, 350), (85400.4, 1118.5),
        "b8cbb061a85206d729d91cdc2981f43c9e0d99209dce588d3af5f7934408b9df", "Apache-2.0", MOONCAKE),
    "mooncake-synthetic": Facts(
        3993, 61194628, 595432, 1022.025, (11587, 69), (66456.16, 768.08),
        "bd070915a98fc0ed264d7cfef2ce746002eb3076a695ec31ba2674c0111ec131", "Apache-2.0", MOONCAKE),
    "ragpulse": Facts(
        7106, 20917099, 2012676, 1209321.0, (3139.5, 234), (5438.3, 891),
        "cd371571bef3320907147f8901729e37f412aafb067ec8eb153e2828e1801e65", "MIT", RAGPULSE),
}  # fmt: skip


@pytest.mark.parametrize("name", FACTS)
def test_shipped_traces_hold_what_was_published(name: str) -> None:
    facts, load = FACTS[name], read_trace(TRACES / f"{name}.parquet")
    told = describe(load)
    assert told["rows"] == facts.rows
    assert told["prompt_tokens_sum"] == facts.prompt_tokens
    assert told["output_tokens_sum"] == facts.output_tokens
    assert load.arrival_s[0] == 0
    assert told["duration_s"] == pytest.approx(facts.duration_s, abs=1e-6)
    for percentile in ("p50", "p99"):
        seen = (told["prompt_tokens"][percentile], told["output_tokens"][percentile])
        assert seen == pytest.approx(getattr(facts, percentile), abs=0.01)


@pytest.mark.parametrize("name", FACTS)
def test_shipped_traces_say_where_they_are_from(name: str) -> None:
    facts, origin = FACTS[name], read_trace(TRACES / f"{name}.parquet").provenance["origin"]
    assert origin["sha256"] == facts.sha256
    assert origin["source"].startswith(facts.source)
    assert origin["licence"].startswith(facts.licence)
    assert origin["cite"]
    assert origin["counts"] == {"rows": facts.rows} | {key: 0 for key in origin["counts"] if key != "rows"}


# What an unlimited prefix cache hits (tokens), by the rule of vllm/v1/core/kv_cache_manager.py at 003df296.
HITS = {
    "mooncake-conversation": (512, 54063104),
    "mooncake-synthetic": (512, 39802880),
    "ragpulse": (16, 6574000),
}


@pytest.mark.parametrize("name", HITS)
def test_prefixes_are_shared_as_in_the_original(name: str) -> None:
    block, tokens = HITS[name]
    assert prefix_hits(read_trace(TRACES / f"{name}.parquet"), block) == tokens


def test_bursts_are_not_repaired() -> None:
    code = describe(read_trace(TRACES / "azure-code-2023.parquet"))
    assert code["interarrival_cv"] == pytest.approx(13.1512909, rel=1e-6)
    assert code["index_of_dispersion"]["60s"] == pytest.approx(163.9646885, rel=1e-3)
    conversation = read_trace(TRACES / "mooncake-conversation.parquet")
    assert len(np.unique(conversation.arrival_s)) == 1180


def test_ragpulse_has_its_sessions_and_parts() -> None:
    load = read_trace(TRACES / "ragpulse.parquet")
    assert load.session.max() + 1 == 3990
    parts = np.diff(load.segment_offset)
    template = load.segment_tokens[load.segment_offset[1:] - 1]
    assert set(np.unique(template)) == {6, 7, 8, 9, 10, 11, 12}
    assert parts.min() >= 5, "three system chunks, a question or history, the template"


def test_the_folder_is_small_and_documented() -> None:
    files = sorted(TRACES.glob("*.parquet"))
    assert sorted(path.stem for path in files) == sorted(FACTS)
    assert sum(path.stat().st_size for path in TRACES.rglob("*") if path.is_file()) < 4_000_000
    readme = (TRACES / "README.md").read_text(encoding="utf-8")
    for name, facts in FACTS.items():
        assert f"`{name}.parquet`" in readme
        assert all(
            figure in readme for figure in (facts.sha256, f"{facts.rows:,}", f"{facts.prompt_tokens:,}")
        )
    assert "Copyright (c) 2025 zhengchao wang" in (TRACES / "LICENSES/RAGPulse-MIT.txt").read_text()


def test_metadata_names_no_folder_of_any_machine() -> None:
    for path in TRACES.glob("*.parquet"):
        stored = json.loads(pq.read_schema(path).metadata[b"sim.workload"])
        assert stored["schema"] == 1
        assert "/" not in stored["provenance"]["file"]
