"""The page of a run: complete, honest, and the same whether made from memory or from its folder."""

from __future__ import annotations

import copy
import math
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from run_pages import RUNS
from runs import SCENARIO

from simulator.report import folders
from simulator.report.page import FILE
from simulator.report.run.html import html
from simulator.report.run.latency import cdf
from simulator.report.run.replicas import grouped
from simulator.report.run.roof import steps
from simulator.report.run.slo import breaking
from simulator.report.run.source import course, of_run
from simulator.report.run_folder import keep
from simulator.report.terminal import number
from simulator.results.folder import write_table
from simulator.results.run import RunResult
from simulator.results.summary import summarise

HEADINGS = (
    *("Objectives", "Latencies", "Where the time goes", "Slow requests", "Over time", "Replicas"),
    *("Under the roof", "Pools and every figure", "What the figures rest on"),
)


@cache
def run(name: str) -> RunResult:
    return RUNS[name]()


@cache
def text(name: str) -> str:
    return html(of_run(run(name), summarise(run(name))))


@pytest.mark.parametrize("name", RUNS)
def test_every_kind_of_run_has_a_whole_page(name: str) -> None:
    page = text(name)
    assert re.findall(r'<h2 id="s\d+">(.*?)</h2>', page) == list(HEADINGS)
    assert "docs/limits.md" in page
    assert len(page.encode()) < 2e6
    assert ">nan" not in page


def test_the_slowest_of_a_mean_curve_is_no_request() -> None:
    assert "a replication&#39;s slowest on average" in text("replicated")
    assert "slowest on average" not in text("plain")


def test_rates_are_said_of_the_time_that_they_are_of() -> None:
    queue = summarise(run("plain"))["saturation"]
    said = f"{number(queue['offered_per_s'])} requests/s arrive, {number(queue['served_per_s'])} are served"
    assert f"{said} in the second half of the arrivals." in text("plain")


def test_an_interval_from_0_is_drawn_on_an_axis_that_has_none() -> None:
    summary = copy.deepcopy(summarise(run("plain")))
    summary["metrics"]["ttft_s"]["interval"]["p50"] = {"low": 0.0, "high": 1.0, "method": ""}
    values = [0.001 * 1.05**place for place in range(len(summary["distributions"]["shares"]))]
    summary["distributions"]["ttft_s"] = values
    (chart,) = cdf(summary, "ttft_s")
    assert chart.x.log
    (ranges,) = (series for series in chart.series if series.style == "ranges")
    assert min(ranges.low) == chart.series[0].x[0] > 0


@pytest.mark.parametrize("name", RUNS)
def test_every_chart_has_a_table_and_says_how(name: str) -> None:
    figures = re.findall(r"<figure>(.*?)</figure>", text(name), re.DOTALL)
    assert figures
    for figure in figures:
        assert "<table" in figure
        assert "How was this computed?" in figure
        assert 'class="summary"' in figure


@pytest.mark.parametrize("name", RUNS)
def test_the_folder_makes_the_same_page(name: str, tmp_path: Path) -> None:
    folder = keep(run(name), summarise(run(name)), tmp_path)
    written = folder.joinpath(FILE).read_bytes()
    assert written == text(name).encode()
    folders.write(folder)
    assert folder.joinpath(FILE).read_bytes() == written


def test_a_folder_without_its_density_says_so(tmp_path: Path) -> None:
    folder = keep(run("plain"), summarise(run("plain")), tmp_path)
    folder.joinpath("density.parquet").unlink()
    assert "kept without what its steps did" in folders.page(folder)


def test_latencies_of_a_growing_queue_are_refused() -> None:
    page = text("saturated")
    assert "TTFT, E2E, queue: not given" in page
    assert 'id="cdf-ttft-chart"' not in page
    assert 'id="cdf-itl-chart"' in page


def test_a_share_that_is_not_given_is_no_bar() -> None:
    assert breaking([("a", None, None), ("b", 0.75, None)]) == [pytest.approx(math.nan, nan_ok=True), 25.0]
    assert "all together: –" not in text("saturated")


def test_steps_of_given_times_have_no_roof() -> None:
    assert "no steps whose work is known" in text("given")
    assert "names no SLO" in text("given")


def test_the_density_is_all_of_the_busy_time_and_work() -> None:
    result = run("plain")
    source = of_run(result, summarise(result))
    cells = steps(source, "serve")
    timeline = result.timeline
    busy = np.dot(timeline["busy"].to_numpy(), timeline["width_s"].to_numpy())
    assert cells.seconds.sum() == pytest.approx(busy, rel=1e-9)
    flops = float((cells.seconds * cells.flops_per_s()).sum())
    # Cells are 7.5 % wide: from their middles the sum is off by less than half of that.
    assert flops == pytest.approx(timeline["flops"].to_numpy().sum(), rel=0.037)


def test_slices_add_up_to_the_whole() -> None:
    result = run("replicated")
    slices = course(of_run(result, summarise(result)))
    whole = result.timeline.to_pandas()
    first = whole[whole.replication == 0]
    assert slices.total("decode_tokens").sum() == first.decode_tokens.sum()
    spent = (slices.mean("running") * slices.width()).sum()
    assert spent == pytest.approx((first.running * first.width_s).sum())


def test_many_replicas_share_rows() -> None:
    replicas = [{"name": f"{pool}/{i}", "pool": pool} for pool, n in (("a", 30), ("b", 1)) for i in range(n)]
    rows = grouped(replicas)
    assert rows[0][0] == "a/0 … 1"
    assert rows[-1][0] == "b/0"
    assert sorted(int(i) for _, numbers in rows for i in numbers) == list(range(31))
    assert "50 replicas in 17 rows" in text("many_replicas")


def test_a_partial_run_says_so() -> None:
    partial = replace(run("plain"), complete=False)
    assert "Partial run." in html(of_run(partial, summarise(partial)))


def test_a_run_with_its_page_loads_no_pandas_and_no_chart_library(tmp_path: Path) -> None:
    code = (
        "import sys; from simulator import cli; "
        f"cli.execute(['run', {str(SCENARIO)!r}, '--set', 'workload.synthetic.requests=200', "
        f"'--out', {str(tmp_path)!r}, '--quiet']); "
        "sys.exit(sorted({'bokeh', 'pandas', 'scipy', 'pyarrow.compute'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.glob("*/report.html")] == [FILE]


def test_the_slowest_are_explained_together_and_one_by_one() -> None:
    page = text("plain")
    assert page.count("The slowest 1 % by") == 3
    assert "the difference goes to" in page
    assert len(re.findall(r"<li>Request \d+, slowest by", page)) >= 3


def test_blocks_of_many_requests_are_looked_at() -> None:
    result = run("replicated")
    source = of_run(result, summarise(result))
    whole, every = source.thinned(1000)
    assert (len(whole), every) == (150, 1)
    assert not any(pa.types.is_nested(kind) for kind in whole.schema.types)
    big = replace(source, requests=pa.concat_tables([result.requests.slice(0, 150)] * 40))
    some, every = big.thinned(2000)
    assert (len(some), every) == (2000, 3)
    assert some["request"].to_pylist()[:1000] == (list(range(150)) * 7)[:1000]
    assert some["request"][1000].as_py() == 3000 % 150


@pytest.mark.slow
def test_a_million_requests_take_five_seconds_and_half_a_gigabyte(tmp_path: Path) -> None:
    """CPU seconds and peak memory of `sim report` on a folder of the rows of a small run, again and again."""
    result = run("plain")
    many = pa.concat_tables([result.requests] * (1_000_000 // len(result.requests)))
    folder = keep(result, summarise(result), tmp_path)
    write_table(many.combine_chunks(), folder / "requests.parquet")
    code = (
        "import resource, sys; from simulator import cli; "
        f"assert cli.execute(['report', {str(folder)!r}]) == 0; "
        "used = resource.getrusage(resource.RUSAGE_SELF); "
        # not ru_maxrss: a child starts with its parent's
        "peak = open('/proc/self/status').read().split('VmHWM:')[1].split()[0]; "
        "print(used.ru_utime + used.ru_stime, int(peak) / 1024, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, megabytes = map(float, done.stderr.split())
    assert seconds < 5
    assert megabytes < 500
    assert folder.joinpath(FILE).stat().st_size < 5e6
