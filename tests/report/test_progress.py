"""The line of a long run: nothing for a short one, little for a long one, no control codes for a pipe."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from runs import SCENARIO

from simulator.cli.run import progress_bar
from simulator.report import progress
from simulator.report.progress import PATIENCE_S, REDRAWN_S, Display, shown
from simulator.simulate import Moment


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> tuple[Display, Clock, list[tuple[str, float]]]:
    clock, lines = Clock(), []
    display = Display(io.StringIO(), clock)
    monkeypatch.setattr(display, "_line", lambda text, share: lines.append((text, share)))
    return display, clock, lines


def moment(share: float, simulated: float = 0.0) -> Moment:
    return Moment(simulated, int(share * 10_000), int(share * 10_000) + 32, 10_000, share)


def test_a_run_of_less_than_two_seconds_draws_nothing(drawn: Any) -> None:
    display, clock, lines = drawn
    while clock.now < 100 + PATIENCE_S - 0.01:
        display.within(moment(0.5))
        clock.now += 0.01
    assert not lines


def test_it_tells_what_is_simulated_the_rate_what_is_inside_and_what_is_left(drawn: Any) -> None:
    display, clock, lines = drawn
    clock.now += 4
    display.within(moment(0.2, 90.0))
    text = "2,000 of 10,000 requests · 90 s simulated · 500 requests/s · 32 in the system · 16 s left"
    assert lines == [(text, 0.2)]


def test_it_is_drawn_a_few_times_a_second_only(drawn: Any) -> None:
    display, clock, lines = drawn
    for tick in range(12_000):
        clock.now = 100 + tick / 1000
        display.within(moment(tick / 12_000))
    assert len(lines) <= 10 / REDRAWN_S + 1


def test_the_rate_is_that_of_the_last_seconds(drawn: Any) -> None:
    display, clock, lines = drawn
    for second in range(60):
        clock.now = 100.0 + second
        share = min(second, 30) / 100 + max(second - 30, 0) / 1000
        display.within(moment(share))
    assert lines[-1][0].endswith("10 requests/s · 32 in the system · 11.2 min left")


def test_many_runs_are_told_together(drawn: Any) -> None:
    display, clock, lines = drawn
    display.across(0, 4)
    clock.now += 10
    display.watch([moment(0.5), moment(0.5)])
    assert lines[-1] == ("0 of 4 runs · 1,000 requests/s · 64 in the system · 30 s left", 0.25)
    display.across(1, 4)
    clock.now += 10
    display.watch([moment(1.0), moment(0.1)])
    assert lines[-1][1] == (1 + 1.1) / 4
    assert lines[-1][0].startswith("1 of 4 runs · ")
    clock.now += 10
    display.across(4, 4)
    assert lines[-1][1] == 1.0


def test_quiet_and_pipes_get_no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    with progress_bar(quiet=False) as told:  # stderr is no terminal here
        assert told == (None, None, None)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with progress_bar(quiet=True) as told:
        assert told == (None, None, None)


def test_drawing_costs_less_than_a_hundredth_of_the_time() -> None:
    """Of processor time, at the pace at which it draws."""
    stream = io.StringIO()
    with shown(stream) as display:
        display.drawn -= PATIENCE_S
        display.within(moment(0.1, 1.0))
        began = time.process_time()
        for tick in range(40):
            display.drawn -= REDRAWN_S
            display.within(moment(0.1 + tick / 100, float(tick)))
        spent = time.process_time() - began
    assert spent / (40 * REDRAWN_S) < 0.01


@pytest.mark.parametrize("options", [[], ["--replications", "2", "--workers", "2"]])
def test_on_a_terminal_it_appears_and_goes(options: list[str], tmp_path: Path) -> None:
    """A pseudo-terminal of 100 columns for stderr, patience cut short; stdout stays clean."""
    program = (
        "from simulator.report import progress; progress.PATIENCE_S = 0.0;"
        "import sys; from simulator.cli import main; main(sys.argv[1:])"
    )
    master, slave = pty.openpty()
    args = ["run", str(SCENARIO), "--out", str(tmp_path), *options]
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(progress.__file__).parents[2]),
        "TERM": "xterm",
        "COLUMNS": "100",
        "LINES": "30",
    }
    with subprocess.Popen(
        [sys.executable, "-c", program, *args], stdout=subprocess.PIPE, stderr=slave, env=environment
    ) as process:
        os.close(slave)
        seen = b""
        while True:
            try:
                found = os.read(master, 65536)
            except OSError:
                break
            if not found:
                break
            seen += found
        assert process.stdout is not None
        out = process.stdout.read().decode()
    os.close(master)
    assert process.returncode == 0
    text = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", seen).decode()
    assert ("of 2 runs" if options else "of 20,000 requests") in text
    assert "requests/s" in text
    assert "\x1b" not in out
    assert seen.endswith((b"\x1b[2K", b"\x1b[?25h")) or seen.rstrip().endswith(b"\x1b[2K")
