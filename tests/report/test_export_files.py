"""Exports hold what the run holds: recomputed from its own columns, and by the definitions of each tool."""

from __future__ import annotations

import csv
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from exported import RUNS, folder
from hypothesis import given
from hypothesis import strategies as st

from simulator import cli, errors
from simulator.report.export import aiperf, carried, formats, vllm_bench
from simulator.report.export.lanes import lanes
from simulator.report.export.source import Source, open_run
from simulator.report.export.tokens import tokens

SETUP = (
    *("date", "endpoint_type", "backend", "label", "model_id", "tokenizer_id", "num_prompts"),
    *("sim_version", "scenario_hash"),  # where --metadata goes
    *("request_rate", "burstiness", "max_concurrency"),
)
TOTALS = (
    *("duration", "completed", "failed", "total_input_tokens", "total_output_tokens", "request_throughput"),
    *("request_goodput", "output_throughput", "total_token_throughput"),
)
LISTS = (
    *("input_lens", "output_lens", "ttfts", "itls", "latencies", "start_times", "queue_times"),
    *("generated_texts", "errors"),
)
PEAKS = ("max_output_tokens_per_s", "max_concurrent_requests", "rtfx")


def quiet(done: int, total: int) -> None:
    assert 0 <= done <= total


def write(name: str, form: str, out: Path) -> tuple[Source, carried.Carried]:
    source = open_run(folder(name))
    return source, formats.FORMATS[form].write(source, out, quiet)


def requests(name: str) -> dict[str, Any]:
    table = pq.read_table(folder(name) / "requests.parquet")
    return table.filter(pc.equal(table["replication"], 0)).to_pydict()


@pytest.mark.parametrize("form", formats.FORMATS)
@pytest.mark.parametrize("name", RUNS)
def test_every_column_is_carried_or_named(name: str, form: str, tmp_path: Path) -> None:
    source, told = write(name, form, tmp_path / "out")
    missing = carried.left_out(source, told)
    for table in source.rows:
        own = [column for column in source.names(table) if column != "replication"]
        assert set(own) == {*missing[table], *(c for c in told.columns.get(table, ()) if c in own)}
    assert told.files and all(file.is_file() for file in told.files)


@pytest.mark.parametrize("form", formats.FORMATS)
def test_the_same_run_gives_the_same_bytes(form: str, tmp_path: Path) -> None:
    first, second = (write("handed", form, tmp_path / name / "out")[1].files for name in ("a", "b"))
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("name", RUNS)
def test_vllm_bench_has_the_keys_of_the_tool_in_its_order(name: str, tmp_path: Path) -> None:
    write(name, "vllm-bench", tmp_path / "result.json")
    result = json.loads(tmp_path.joinpath("result.json").read_text())
    metrics = [
        f"{statistic}_{metric}_ms"
        for metric in ("ttft", "tpot", "itl", "e2el")
        for statistic in ("mean", "median", "std", "p90", "p95", "p99")
    ]
    assert list(result) == [*SETUP, *TOTALS, *LISTS, *PEAKS, *metrics]
    assert all(len(result[key]) == result["num_prompts"] for key in LISTS)
    assert result["completed"] + result["failed"] == result["num_prompts"]


@pytest.mark.parametrize("name", ["plain", "handed", "preempting", "cut"])
def test_vllm_bench_statistics_are_those_of_its_lists(name: str, tmp_path: Path) -> None:
    """As vllm/benchmarks/serve.py counts them from one answer a request."""
    write(name, "vllm-bench", tmp_path / "result.json")
    result = json.loads(tmp_path.joinpath("result.json").read_text())
    done = [row for row, error in enumerate(result["errors"]) if not error]
    ttft, e2el = ([result[key][row] for row in done] for key in ("ttfts", "latencies"))
    lengths = [result["output_lens"][row] for row in done]
    several = [(e - t) / (n - 1) for t, e, n in zip(ttft, e2el, lengths, strict=True) if n > 1]
    gaps = [gap for row in done for gap in result["itls"][row]]
    for metric, values in {"ttft": ttft, "tpot": several, "itl": gaps, "e2el": e2el}.items():
        expected = {"mean": np.mean, "median": np.median, "std": np.std} | {
            f"p{p}": lambda v, p=p: np.percentile(v, p) for p in (90, 95, 99)
        }
        for statistic, function in expected.items():
            assert result[f"{statistic}_{metric}_ms"] == pytest.approx(1e3 * function(values), rel=1e-9)
    start = [result["start_times"][row] for row in done]
    assert result["total_output_tokens"] == sum(lengths)
    assert result["output_throughput"] == pytest.approx(sum(lengths) / result["duration"])
    events = sorted([(s, 1) for s in start] + [(s + e, -1) for s, e in zip(start, e2el, strict=True)])
    assert result["max_concurrent_requests"] == np.cumsum([change for _, change in events]).max()


def test_vllm_bench_gaps_add_up_to_the_latency(tmp_path: Path) -> None:
    for name in ("plain", "handed", "early", "relayed"):
        write(name, "vllm-bench", tmp_path / "result.json")
        result = json.loads(tmp_path.joinpath("result.json").read_text())
        times: list[float] = []
        for row, gaps in enumerate(result["itls"]):
            assert len(gaps) == result["output_lens"][row] - 1
            assert result["ttfts"][row] + sum(gaps) == result["latencies"][row]
            first = result["start_times"][row] + result["ttfts"][row]
            times += [first, *(first + np.cumsum(gaps))]
        second = np.floor(np.array(times) - min(result["start_times"])).astype(int)
        assert result["max_output_tokens_per_s"] == np.bincount(second).max()


def test_gaps_across_a_preemption_are_not_made_up(tmp_path: Path) -> None:
    source, told = write("preempting", "vllm-bench", tmp_path / "result.json")
    found, rows = tokens(source), requests("preempting")
    assert found is not None
    preempted = np.array(rows["preemptions"]) > 0
    assert preempted.any()
    assert not (found.known & preempted & (np.array(rows["preempted_s"]) > 0)).any()
    unknown = int((~found.known & (np.array(rows["state"]) == "finished")).sum())
    assert told.notes == [f"itls of {unknown} requests are empty: preempted, or left out of steps"]


def test_itl_is_that_of_the_run(tmp_path: Path) -> None:
    """Read off the steps, as the run itself counted it."""
    for name in ("plain", "handed"):
        source = open_run(folder(name))
        write(name, "vllm-bench", tmp_path / "result.json")
        result, itl = (
            json.loads(tmp_path.joinpath("result.json").read_text()),
            source.summary["metrics"]["itl_s"],
        )
        assert result["p99_itl_ms"] == pytest.approx(1e3 * itl["p99"], rel=1e-12)
        assert result["mean_itl_ms"] == pytest.approx(1e3 * itl["mean"], rel=1e-12)


def test_a_trace_has_the_rate_that_arrived() -> None:
    sent = np.array([0.0, 1.0, 2.0, 4.0])
    assert vllm_bench.arrivals({"workload": {"trace": "x"}}, sent)["request_rate"] == 0.75
    poisson = {"workload": {"synthetic": {"arrivals": {"kind": "poisson", "rate": 2.0}}, "rate_scale": 3.0}}
    assert vllm_bench.arrivals(poisson, sent)["request_rate"] == 6.0
    closed = {"workload": {"synthetic": {"arrivals": {"kind": "closed_loop", "concurrency": 8}}}}
    asked = {"request_rate": "inf", "burstiness": 1.0, "max_concurrency": 8}
    assert vllm_bench.arrivals(closed, sent) == asked


def test_peak_concurrency_is_that_of_half_open_intervals() -> None:
    assert vllm_bench.peak_concurrency(np.array([0.0, 1.0]), np.array([1.0, 2.0])) == 1
    assert vllm_bench.peak_concurrency(np.array([0.0, 0.5]), np.array([1.0, 2.0])) == 2


@pytest.mark.parametrize("name", RUNS)
def test_aiperf_statistics_are_those_of_its_records(name: str, tmp_path: Path) -> None:
    write(name, "aiperf", tmp_path / "out")
    records = [json.loads(line) for line in tmp_path.joinpath("out", aiperf.RECORDS).read_text().splitlines()]
    summary = json.loads(tmp_path.joinpath("out", aiperf.SUMMARY).read_text())
    good = [record for record in records if record["error"] is None]
    assert [record["metadata"]["session_num"] for record in records] == list(range(len(records)))
    assert summary["request_count"]["avg"] == len(good)
    assert summary["error_request_count"]["avg"] == len(records) - len(good)
    for tag in ("time_to_first_token", "inter_token_latency", "request_latency", "output_sequence_length"):
        values = [record["metrics"][tag]["value"] for record in good if tag in record["metrics"]]
        assert (tag in summary) == bool(values)
        if not values:
            continue
        figures = summary[tag]
        assert figures["count"] == len(values)
        for p in (1, 5, 10, 25, 50, 75, 90, 95, 99):
            assert figures[f"p{p}"] == pytest.approx(np.percentile(values, p), rel=1e-12)
        assert figures["avg"] == pytest.approx(np.mean(values)) and figures["std"] == pytest.approx(
            np.std(values)
        )
    for record in good:
        metadata, latency = record["metadata"], record["metrics"]["request_latency"]["value"]
        assert metadata["request_end_ns"] - metadata["request_start_ns"] == pytest.approx(
            latency * 1e6, abs=2
        )


def test_aiperf_chunk_gaps_are_those_of_the_tokens(tmp_path: Path) -> None:
    write("handed", "aiperf", tmp_path / "out")
    gaps: list[float] = []
    for line in tmp_path.joinpath("out", aiperf.RECORDS).read_text().splitlines():
        metrics = json.loads(line)["metrics"]
        gaps += metrics["inter_chunk_latency"]["value"]
        mean = metrics["inter_token_latency"]["value"]
        assert np.mean(metrics["inter_chunk_latency"]["value"]) == pytest.approx(mean)
    figures = json.loads(tmp_path.joinpath("out", aiperf.SUMMARY).read_text())["inter_chunk_latency"]
    assert figures["p25"] == pytest.approx(np.percentile(gaps, 25)) and figures["count"] == len(gaps)
    assert figures["sum"] == pytest.approx(sum(gaps))


def test_aiperf_table_has_two_sections(tmp_path: Path) -> None:
    write("plain", "aiperf", tmp_path / "out")
    with tmp_path.joinpath("out", aiperf.TABLE).open(newline="") as file:
        rows = list(csv.reader(file))
    split = rows.index([])
    assert rows[0] == ["Metric", *aiperf.STATISTICS] and rows[split + 1] == ["Metric", "Value"]
    names = ["".join(row[:1]) for row in rows]
    assert "Time to First Token (ms)" in names[:split] and "Request Count" in names[split:]


def test_aiperf_reads_and_plots_it(tmp_path: Path) -> None:
    """AIPerf's own loader, where it is installed (pip install aiperf)."""
    loader = pytest.importorskip("aiperf.plot.core.data_loader", reason="AIPerf is not installed")
    write("handed", "aiperf", tmp_path / "out")
    run = loader.DataLoader().load_run(tmp_path / "out")
    assert len(run.requests) == 200
    assert run.get_metric("time_to_first_token")["count"] == 200


@pytest.mark.parametrize("name", RUNS)
def test_csv_reads_back_to_the_last_bit(name: str, tmp_path: Path) -> None:
    source, told = write(name, "csv", tmp_path / "out")
    for table, names in told.columns.items():
        nulls = pa.csv.ConvertOptions(strings_can_be_null=True)
        read = pa.csv.read_csv(tmp_path / "out" / f"{table}.csv", convert_options=nulls)
        whole = pq.read_table(source.folder / f"{table}.parquet", columns=["replication", *names])
        own = whole.filter(pc.equal(whole["replication"], 0))
        for column in names:
            expected, found = own[column].to_pylist(), read[column].to_pylist()
            assert found == [value if value is None else type(value)(value) for value in expected], column
    metrics = list(csv.DictReader(tmp_path.joinpath("out", "metrics.csv").open(newline="")))
    p99 = next(row for row in metrics if row["metric"] == "ttft_s")["p99"]
    assert (float(p99) if p99 else None) == source.summary["metrics"]["ttft_s"]["p99"]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=60))
def test_lanes_hold_one_at_a_time_and_are_as_few_as_can_be(pairs: list[tuple[int, int]]) -> None:
    start = np.array([begin for begin, _ in pairs])
    end = np.array([begin + length for begin, length in pairs])
    found = lanes(start, end)
    for lane in set(found.tolist()):
        own = sorted(zip(start[found == lane].tolist(), end[found == lane].tolist(), strict=True))
        assert all(before[1] <= after[0] for before, after in pairwise(own))
    most = max((int(((start <= at) & (at < end)).sum()) for at in start), default=0)
    assert len(set(found.tolist())) == most


def test_the_command_tells_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, out = str(folder("stepless")), tmp_path / "x.json"
    assert cli.execute(["export", run, "--format", "vllm-bench", "--out", str(out)]) == errors.OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{out} (") and lines[1] == "replication 0 of 2"
    assert "not carried, of timeline: all columns" in lines
    assert (
        cli.execute(["export", run, "--format", "csv", "--json", "--out", str(tmp_path / "c")]) == errors.OK
    )
    assert json.loads(capsys.readouterr().out)["format"] == "csv"


def test_by_default_it_goes_beside_the_run(tmp_path: Path) -> None:
    assert formats.default(Path("reports/rag-1"), "perfetto") == Path("reports/rag-1.perfetto.json")
    assert formats.default(Path("."), "csv").name.endswith(".csv")


def test_replications_are_told_apart(tmp_path: Path) -> None:
    for number in (0, 1):
        source = open_run(folder("stepless"), number)
        formats.FORMATS["vllm-bench"].write(source, tmp_path / f"{number}.json", quiet)
    first, second = (json.loads(tmp_path.joinpath(f"{n}.json").read_text()) for n in (0, 1))
    assert first["num_prompts"] == second["num_prompts"] == 300 and first["ttfts"] != second["ttfts"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--format", "perfetto", "--replication", "7"], "no replication 7"),
        (["--format", "perfeto"], "perfeto"),
        (["--format", "csv", "--from", "3 s"], "--from: has no effect on csv"),
        (["--format", "perfetto", "--until", "soon"], "not a quantity"),
        (["--format", "perfetto", "--from", "3 s", "--until", "2 s"], "is not after --from"),
        (["--format", "perfetto", "--from", "3 h"], "--from: is after all that happens: the run ends at "),
    ],
)
def test_bad_input_is_refused(
    arguments: list[str], word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.execute(["export", str(folder("stepless")), *arguments]) == errors.BAD_INPUT
    assert word in capsys.readouterr().err


def test_a_window_in_which_no_step_runs_has_none(tmp_path: Path) -> None:
    """As most batches of a long run's steps have none of a short window."""
    out = tmp_path / "trace.json"
    formats.FORMATS["perfetto"].write(open_run(folder("plain"), window=(0.0, 1e-9)), out, quiet)
    assert not [one for one in json.loads(out.read_text())["traceEvents"] if one["ph"] == "X"]


def test_what_is_there_is_not_harmed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(folder("plain"))
    tmp_path.joinpath("mine").mkdir()
    tmp_path.joinpath("mine", "letter.txt").write_text("dear")
    for form in ("csv", "vllm-bench"):
        given = ["export", run, "--format", form, "--out", str(tmp_path / "mine")]
        assert cli.execute(given) == errors.BAD_INPUT
    assert tmp_path.joinpath("mine", "letter.txt").read_text() == "dear"
    assert cli.execute(["export", str(tmp_path), "--format", "csv"]) == errors.BAD_INPUT
    assert "is no run folder" in capsys.readouterr().err


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def fails(done: int, total: int) -> None:
        raise KeyboardInterrupt

    for form in formats.FORMATS:
        with pytest.raises(KeyboardInterrupt):
            formats.FORMATS[form].write(open_run(folder("plain")), tmp_path / form, fails)
    assert not list(tmp_path.iterdir())
