"""The terminal: the verdict first, one screen, any width, no colour where none is wanted."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from small_engine import FakeRun, make_run, make_scenario

from simulator.report import request, sparks, terminal
from simulator.results.parts import WATERFALL
from simulator.results.summary import summarise
from simulator.results.waterfall import explain


@pytest.fixture(scope="module")
def fake_run() -> FakeRun:
    return make_run(make_scenario())


def shown(print_it: Callable[[Console], None], width: int = 80, **how: Any) -> str:
    out = io.StringIO()
    print_it(Console(file=out, width=width, highlight=False, **how))
    return out.getvalue()


def test_the_verdict_comes_first_and_all_fits_a_screen(fake_run: FakeRun) -> None:
    summary = summarise(fake_run(rate=12.0, n=2000))
    text = shown(
        lambda console: terminal.show(summary, console, (terminal.speed(2000, 100.0, 0.5, 4000), "reports/x"))
    )
    lines = text.splitlines()
    assert lines[0].startswith(
        "Meets the SLO: 100 % of 1,995 requests keep TTFT ≤ 2 s and TPOT ≤ 50 ms (99 % asked)."
    )
    assert len(lines) <= 24
    for label in (
        "TTFT ms",
        "TPOT ms",
        "ITL ms",
        "E2E ms",
        "queue ms",
        "output and",
        "prefix hits",
        "prefill",
        "MFU",
    ):
        assert label in text
    assert "simulated 100.00 s in 0.50 s: 4,000 requests/s, 4,000 engine steps" in text
    assert lines[-1] == "reports/x"


def test_the_table_says_what_the_summary_says(fake_run: FakeRun) -> None:
    summary = summarise(fake_run(rate=12.0, n=2000))
    row = next(
        line
        for line in shown(lambda console: terminal.show(summary, console)).splitlines()
        if line.startswith("TTFT")
    )
    metric = summary["metrics"]["ttft_s"]
    expected = [terminal.number(metric[name], 1e3) for name in ("mean", "p50", "p90", "p95", "p99")]
    assert row.split()[2:7] == expected


def test_refused_latencies_are_dashes(fake_run: FakeRun) -> None:
    summary = summarise(fake_run(rate=300.0, n=2000))
    text = shown(lambda console: terminal.show(summary, console))
    assert text.startswith("Saturated: ")
    row = next(line for line in text.splitlines() if line.startswith("TTFT"))
    assert row.split()[2:] == ["–"] * 6


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_any_width_will_do(fake_run: FakeRun, width: int) -> None:
    summary = summarise(fake_run(rate=12.0, n=300))
    text = shown(lambda console: terminal.show(summary, console), width, force_terminal=True, no_color=True)
    assert (
        max(
            len(line)
            for line in text.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "").splitlines()
        )
        <= width
    )


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("pools", [1, 3])
def test_no_figure_is_cut_at_any_width(fake_run: FakeRun, width: int, pools: int) -> None:
    summary = summarise(fake_run(rate=12.0, n=300))
    (name,) = summary["pools"]
    for number in range(1, pools):
        summary["pools"][f"{name}-{number}"] = summary["pools"][name]
        summary["verdict"]["limits"][f"{name}-{number}"] = "idle"
    text = shown(lambda console: terminal.show(summary, console), width, force_terminal=True, no_color=True)
    assert not re.search(r"\S…", text)  # an interval's has a blank before it
    for key in terminal.POOL_COLUMNS.values():
        value = summary["pools"][name][key]
        figure = terminal.number(value) if key in {"batch_size", "waiting"} else terminal.share(value)
        assert text.count(figure) >= pools


def test_histograms_are_drawn_on_terminals_with_room(fake_run: FakeRun) -> None:
    run = fake_run(rate=12.0, n=2000)
    summary, drawn = summarise(run), sparks.shapes(run.requests, 0.0)
    assert sum(drawn["ttft_s"]) == 2000 and len(drawn["ttft_s"]) == sparks.CELLS

    def show(console: Console) -> None:
        terminal.show(summary, console, (), drawn)

    picture = sparks.spark(drawn["ttft_s"])
    assert picture in shown(show, 80, force_terminal=True, no_color=True)
    assert picture not in shown(show, 40, force_terminal=True, no_color=True)
    assert picture not in shown(show, 80)


def test_a_spark_is_a_bar_a_value() -> None:
    assert sparks.spark([0, 1, 4, 8]) == " ▂▅█"
    assert sparks.spark([0.5, float("nan")], most=1.0) == "▅ "
    assert sparks.spark([]) == "" and sparks.spark([0.0, 0.0]) == "  "


def test_a_histogram_ends_at_the_99th_percentile() -> None:
    counts = sparks.histogram(np.arange(1000.0), 4)
    assert sum(counts) == 1000 and counts == [248, 247, 247, 258]  # edges at 247.25, 494.5, 741.76
    assert sparks.histogram(np.array([np.nan])) == [] and sparks.histogram(np.ones(5)) == [5]


def test_a_pipe_gets_no_colour_and_whole_lines(fake_run: FakeRun) -> None:
    summary = summarise(fake_run(rate=12.0, n=300))
    assert "\x1b" not in shown(lambda console: terminal.show(summary, console))
    assert "\x1b[" in shown(lambda console: terminal.show(summary, console), force_terminal=True)
    assert summary["verdict"]["sentence"] in shown(lambda console: terminal.show(summary, console), width=20)


NUMBERS = [(None, "–"), (0.0, "0.00"), (0.0123, "0.012"), (0.5, "0.50"), (9.99, "9.99"), (9.996, "10.0")]
NUMBERS += [(99.96, "100"), (1234.5, "1,234"), (-3.14159, "-3.14")]


@pytest.mark.parametrize(("value", "text"), NUMBERS)
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert terminal.number(value) == text
    if value:
        assert terminal.number(value / 1e3, 1e3) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0 %"), (0.0034, "0.3 %"), (0.0996, "10 %"), (0.5, "50 %"), (1.0, "100 %")],
)
def test_shares(value: float | None, text: str) -> None:
    assert terminal.share(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.5, "0.50 s"), (150, "2.5 min"), (7200, "2.0 h"), (10**6, "11.6 d")]
)
def test_durations(seconds: float, text: str) -> None:
    assert terminal.duration(seconds) == text


def test_step_times_name_each_kind_and_its_error() -> None:
    ops = {
        "gemm": {"kind": "fitted", "median_pct": 6.1},
        "allreduce": {"kind": "assumed", "median_pct": None},
    }
    assert terminal.step_times({"serve": {"ops": ops}}) == "fitted (median error up to 6.1 %), assumed"
    assert terminal.step_times({"serve": {"kind": "assumed", "step_s": 0.01}}) == "assumed"


def test_a_request_is_explained_by_bars_that_add_up(fake_run: FakeRun) -> None:
    run = fake_run(rate=20.0, n=500)
    found = explain(run.requests, run.timeline, 250)
    text = shown(lambda console: request.show(found, "test", console))
    assert text.startswith("Request 250 of test: finished on serve/0")
    for label in ("queue", "prefill", "decode", "E2E", "TTFT", "meanwhile on serve/0"):
        assert label in text
    width = sum(
        len(request.bar(found.request[part] / found.request["e2e_s"], 40).rstrip()) for part in WATERFALL
    )
    assert 39 <= width <= 43


def test_a_request_that_never_ran_is_explained_too(fake_run: FakeRun) -> None:
    found = explain(*(getattr(fake_run(rate=20.0, n=500), name) for name in ("requests", "timeline")), 1)
    refused = dict.fromkeys(found.request) | {
        name: found.request[name] for name in ("request", "sent_s", "prompt_tokens", "output_tokens")
    }
    refused |= {
        "state": "refused",
        "queue_s": 0.0,
        "prefill_s": 0.0,
        "decode_s": 0.0,
        "e2e_s": 0.0,
        "emitted": 0,
        "hit_tokens": 0,
        "preemptions": 0,
    }
    text = shown(
        lambda console: request.show(
            replace(found, request=refused, slower_than={}, meanwhile={}), "test", console
        )
    )
    assert text.startswith("Request 1 of test: refused\n")
