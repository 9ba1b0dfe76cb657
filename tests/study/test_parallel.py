"""The map over points: in order, the same on any number of processes, ended by whoever wants no more."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest

from simulator.errors import InputError, Problem
from simulator.study.parallel import cores, workers


def squared(number: int) -> int:
    time.sleep(0.05 if number == 0 else 0.0)
    return number * number


def refused(number: int) -> int:
    raise InputError([Problem("a.yaml:1:2", f"{number} is wrong"), Problem("b", "and this")])


@pytest.mark.parametrize("count", [1, 2])
def test_results_come_in_the_order_of_the_points(count: int) -> None:
    with workers(count) as run:
        assert list(run(squared, range(6))) == [0, 1, 4, 9, 16, 25]
        assert list(run(squared, range(3))) == [0, 1, 4]
        assert list(run(squared, [])) == []


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_of_the_input_arrives_whole(count: int) -> None:
    with pytest.raises(InputError) as caught, workers(count) as run:
        list(run(refused, [3, 3]))
    assert [problem.where for problem in caught.value.problems] == ["a.yaml:1:2", "b"]


def leave_early() -> None:
    with workers(2) as run:
        for _ in run(time.sleep, [0.01, 60.0, 60.0]):
            raise KeyboardInterrupt


def test_whoever_wants_no_more_does_not_wait() -> None:
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        leave_early()
    assert time.monotonic() - began < 30
    assert not multiprocessing.active_children()


def test_the_cores_are_counted() -> None:
    assert 1 <= cores() <= 4096


def test_nothing_is_started_for_one_point() -> None:
    with workers(8) as run:
        assert list(run(Path.exists, [Path(__file__)])) == [True]
        assert not multiprocessing.active_children()
