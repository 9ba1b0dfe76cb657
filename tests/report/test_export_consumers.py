"""Exports read by the programs that they are for."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import trace_processor
from exported import RUNS, folder
from prometheus_client.parser import text_string_to_metric_families

from simulator.report.export import formats, perfetto, prometheus
from simulator.report.export.source import open_run

QUERIES = (
    "select name from stats where value > 0 and severity in ('error', 'data_loss')",
    "select p.name as process, t.name as thread, count(*) as slices, sum(s.dur) as dur, min(s.ts) as ts "
    "from slice s join thread_track tt on s.track_id = tt.id join thread t using (utid) "
    "join process p using (upid) where s.depth = 0 group by 1, 2",
    "select a.name as out, b.name as into_ from flow f join slice a on f.slice_out = a.id "
    "join slice b on f.slice_in = b.id",
    "select p.name as process, t.name as counter, count(*) as n, sum(c.value) as total from counter c "
    "join process_counter_track t on c.track_id = t.id join process p using (upid) group by 1, 2",
    "select count(*) as n from slice where dur < 0 or depth > 1",
)


def nothing(done: int, total: int) -> None:
    pass


@pytest.mark.parametrize("name", RUNS)
def test_perfetto_reads_the_trace_as_it_was_meant(name: str, tmp_path: Path) -> None:
    source = open_run(folder(name))
    perfetto.write(source, tmp_path / "trace.json", nothing)
    faults, threads, flows, counters, odd = trace_processor.ask(
        tmp_path.joinpath("trace.json").read_bytes(), QUERIES
    )
    assert not faults and odd == [{"n": 0}]
    steps = {row["process"]: row for row in threads if str(row["thread"]).startswith(("steps", "time bins"))}
    table = "steps" if "steps" in source.rows else "timeline"
    replica = source.replica(table)
    for number, replica_name in enumerate(source.replicas):
        assert steps.get(replica_name, {"slices": 0})["slices"] == int((replica == number).sum())
    sent = ~np.isnan(source.column("requests", "sent_s"))
    started = ~np.isnan(source.column("requests", "first_scheduled_s"))
    own = [row for row in threads if row["process"] == "requests"]
    assert sum(row["slices"] for row in own) == int(sent.sum())
    moved = ~np.isnan(source.column("requests", "load_start_s"))
    token = ~np.isnan(source.column("requests", "decode_start_s" if moved.any() else "first_token_s"))
    assert len(flows) == int(started.sum() + moved.sum() + token.sum())
    width = source.rows["timeline"] // len(source.replicas)
    assert {row["n"] for row in counters} == {width}


def test_perfetto_flows_lead_from_the_router_to_the_answer(tmp_path: Path) -> None:
    perfetto.write(open_run(folder("handed")), tmp_path / "trace.json", nothing)
    (flows,) = trace_processor.ask(tmp_path.joinpath("trace.json").read_bytes(), QUERIES[2:3])
    arrows = {(row["out"].split()[0], row["into_"].split()[0]) for row in flows}
    before = {("queue", "prefill"), ("request", "prefill"), ("prefill", "prefill")}
    assert arrows - before == {("prefill", "transfer"), ("transfer", "decode")}
    assert all(row["out"].split()[1:] in ([], row["into_"].split()[1:]) for row in flows)


def test_a_window_holds_what_touches_it(tmp_path: Path) -> None:
    source = open_run(folder("handed"), window=(10.0, 20.0))
    perfetto.write(source, tmp_path / "trace.json", nothing)
    faults, threads, _, counters, odd = trace_processor.ask(
        tmp_path.joinpath("trace.json").read_bytes(), QUERIES
    )
    assert not faults and odd == [{"n": 0}]
    start, end = source.column("steps", "start_s"), source.column("steps", "end_s")
    steps = sum(row["slices"] for row in threads if row["thread"] == "steps")
    assert steps == int(((start < 20) & (end > 10)).sum())
    sent = source.column("requests", "sent_s")
    there = (sent < 20) & (sent + source.column("requests", "e2e_s") > 10)
    own = sum(row["slices"] for row in threads if row["process"] == "requests")
    assert own == int(there.sum()) < len(sent)
    assert counters


def test_perfetto_reads_it_packed(tmp_path: Path) -> None:
    source = open_run(folder("plain"))
    for name in ("trace.json", "trace.json.gz"):
        perfetto.write(source, tmp_path / name, nothing)
    plain, packed = (tmp_path.joinpath(name).read_bytes() for name in ("trace.json", "trace.json.gz"))
    assert gzip.decompress(packed) == plain
    count = "select count(*) as n, sum(dur) as dur from slice"
    assert trace_processor.ask(packed, [count]) == trace_processor.ask(plain, [count])


def families(name: str, tmp_path: Path) -> dict[str, Any]:
    formats.FORMATS["prometheus"].write(open_run(folder(name)), tmp_path / "metrics", nothing)
    read = text_string_to_metric_families(tmp_path.joinpath("metrics").read_text())
    return {family.name: family for family in read}


def value(family: Any, suffix: str, **labels: str) -> float:
    return sum(
        sample.value
        for sample in family.samples
        if sample.name == family.name + suffix and labels.items() <= sample.labels.items()
    )


@pytest.mark.parametrize("name", RUNS)
def test_prometheus_reads_what_the_run_did(name: str, tmp_path: Path) -> None:
    found = families(name, tmp_path)
    table = pq.read_table(folder(name) / "requests.parquet")
    rows = table.filter(pc.equal(table["replication"], 0))
    done = rows.filter(pc.equal(rows["state"].cast("string"), "finished"))
    source = open_run(folder(name))
    assert value(found["vllm:request_success"], "_total", finished_reason="length") == len(done)
    assert value(found["vllm:num_preemptions"], "_total") == sum(rows["preemptions"].to_pylist())
    assert value(found["vllm:generation_tokens"], "_total") == sum(rows["emitted"].to_pylist())
    served = {labels for family in found.values() for s in family.samples for labels in [s.labels["engine"]]}
    assert served == {str(number) for number in range(len(source.replicas))}
    for family, column in {
        "vllm:time_to_first_token_seconds": "ttft_s",
        "vllm:e2e_request_latency_seconds": "e2e_s",
        "vllm:request_time_per_output_token_seconds": "tpot_s",
        "vllm:request_prompt_tokens": "prompt_tokens",
    }.items():
        values = [one for one in done[column].to_pylist() if one is not None]
        assert value(found[family], "_count") == len(values)
        assert value(found[family], "_sum") == pytest.approx(sum(values))
        edges = {sample.labels["le"] for sample in found[family].samples if sample.name.endswith("_bucket")}
        for edge in edges:
            below = sum(one <= float(edge) for one in values)
            assert value(found[family], "_bucket", le=edge) == below, (family, edge)


def test_prometheus_has_the_gaps_of_the_run(tmp_path: Path) -> None:
    for name in ("plain", "handed"):
        found = families(name, tmp_path)
        itl = open_run(folder(name)).summary["metrics"]["itl_s"]
        family = found["vllm:inter_token_latency_seconds"]
        assert value(family, "_count") == itl["n"]
        assert value(family, "_sum") == pytest.approx(itl["n"] * itl["mean"])
        steps = open_run(folder(name)).rows["steps"]
        assert value(found["vllm:iteration_tokens_total"], "_count") == steps


def test_prometheus_types_and_labels_are_vllms(tmp_path: Path) -> None:
    found = families("handed", tmp_path)
    kinds = {name: family.type for name, family in found.items()}
    assert kinds["vllm:kv_cache_usage_perc"] == "gauge" and kinds["vllm:prompt_tokens"] == "counter"
    assert kinds["vllm:iteration_tokens_total"] == "histogram"
    for family in found.values():
        further = {"vllm:request_success": "finished_reason", "vllm:prompt_tokens_by_source": "source"}
        expected = {"model_name", "engine", *([further[family.name]] if family.name in further else [])}
        assert all(set(sample.labels) - {"le"} == expected for sample in family.samples)
    tokens = found["vllm:prompt_tokens"]
    assert value(tokens, "_total") == value(found["vllm:prompt_tokens_by_source"], "_total")


def test_buckets_of_lengths_go_up_to_the_longest() -> None:
    assert prometheus.one_two_five(100) == [1, 2, 5, 10, 20, 50, 100]
    assert prometheus.one_two_five(8192)[-1] == 5000
