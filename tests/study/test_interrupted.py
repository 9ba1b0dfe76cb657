"""Ctrl-C and SIGTERM: what is done is whole, kept, and marked as partial; on one process and on several."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import scenario

from simulator import interrupt
from simulator.results.summary import summarise
from simulator.scenario.resolved import Resolved
from simulator.simulate import Moment, simulate
from simulator.study.compare import Asked, compare
from simulator.study.parallel import workers
from simulator.study.replicate import replicate


def made(requests: int = 6000, **run: Any) -> Resolved:
    found = scenario(replicas=8, step_s=0.01, run=run)
    return replace(found, workload=replace(found.workload, limit=requests))


def ctrl_c(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """As in a terminal: under nohup, or behind a shell's &, the tests themselves would ignore Ctrl-C."""
    before = {number: signal.getsignal(number) for number in interrupt.SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_first_signal_is_told_and_the_second_one_raises(handlers: None) -> None:
    told: list[int] = []
    with interrupt.told(lambda: told.append(1)):
        ctrl_c()
        assert told == [1]
        with pytest.raises(KeyboardInterrupt):
            ctrl_c()
    assert told == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_ignores_a_signal_goes_on_ignoring_it(handlers: None) -> None:
    """nohup, and shells that start something in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupt.told(lambda: pytest.fail("told")):
        ctrl_c()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_leave_signals_alone(handlers: None) -> None:
    seen: list[object] = []

    def elsewhere() -> None:
        with interrupt.told(lambda: None):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


@pytest.mark.parametrize("number", interrupt.SIGNALS)
@pytest.mark.parametrize("event", [1, 5])
def test_a_run_ends_between_two_events(handlers: None, number: int, event: int) -> None:
    """Its laws are asserted by the result as of any run."""
    interrupt.end_as_interrupted()
    moments: list[Moment] = []

    def impatient(moment: Moment) -> None:
        moments.append(moment)
        if len(moments) == event:
            os.kill(os.getpid(), number)

    result = simulate(made(), 0, impatient)
    assert not result.complete
    assert len(moments) == event
    summary = summarise(result)
    last = moments[-1]
    assert summary["requests"]["finished"] == last.ended
    assert summary["verdict"]["sentence"].startswith("Partial run.")
    assert result.timeline["start_s"][-1].as_py() <= last.simulated_s + 0.01  # a step that had begun


@pytest.mark.parametrize("count", [1, 2])
def test_what_there_is_of_the_first_replication_is_kept(handlers: None, count: int) -> None:
    """With two workers the signal comes while both are at their first run, and neither dies of it."""

    sent: list[int] = []

    def impatient(moments: list[Moment]) -> None:
        if not sent and sum(moment.ended > 0 for moment in moments) == count:
            sent.append(1)
            ctrl_c()

    result = replicate(made(200_000, replications=3), count, watch=impatient)
    assert (result.replications, result.complete) == (1, False)
    finished = summarise(result)["requests"]["finished"]
    assert 0 < finished < 200_000


def test_a_partial_replication_is_no_replication_where_others_are_complete(handlers: None) -> None:
    whole = replicate(made(replications=2), 1)
    done: list[int] = []

    def impatient(moments: list[Moment]) -> None:
        if len(done) == 3:
            ctrl_c()

    cut = replicate(made(replications=5), 1, told=lambda so_far, wanted: done.append(so_far), watch=impatient)
    assert (cut.replications, cut.complete) == (2, False)
    assert cut.requests.equals(whole.requests)


def test_a_comparison_of_one_pair_is_one_by_sections(handlers: None) -> None:
    done: list[int] = []

    def impatient(moments: list[Moment]) -> None:
        if len(done) == 4:
            ctrl_c()

    other = made(replications=4)
    slower = replace(other.fleet.pools[0], step_s=0.02)
    other = replace(other, fleet=replace(other.fleet, pools=(slower,)))
    asked = Asked((("a", made(replications=4)), ("b", other)), 4)
    found = compare(asked, 1, lambda so_far, planned: done.append(so_far), impatient)
    assert (found["complete"], found["replications"]) == (False, 1)
    assert found["verdict"]["sentences"][0] == "Interrupted: fewer runs than were asked for."
    change = found["changes"][0]["metrics"]["tpot_s"]["mean"]
    assert change["difference"]["method"].startswith("sectioning")


def heavy(number: int) -> bytes:
    """More than a pipe holds, so that some worker is in the midst of sending when it is not wanted."""
    return np.random.default_rng(number).bytes(4_000_000)


def test_workers_that_are_sending_are_ended_without_harm() -> None:
    with workers(2) as run:
        for _ in range(3):
            for found in run(heavy, range(6)):
                assert len(found) == 4_000_000
                break
        assert sum(map(len, run(heavy, range(4)))) == 16_000_000


def die(number: int) -> None:
    os._exit(9)


def test_a_worker_that_dies_is_told_of() -> None:
    with workers(2) as run, pytest.raises(ChildProcessError, match="a worker ended with 9"):
        list(run(die, range(3)))


def test_no_process_outlives_the_map(tmp_path: Path) -> None:
    with workers(2) as run:
        ids = set(run(whoami, range(4)))
    assert 1 <= len(ids) <= 2
    for number in ids:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)


def whoami(number: int) -> int:
    return os.getpid()
