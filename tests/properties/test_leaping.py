"""Leaping, stepping and planning request by request: the same run, bit for bit."""

from __future__ import annotations

import os

import pyarrow as pa
import pytest
from fleets import case

from simulator import catalog
from simulator.results.run import RunResult
from simulator.simulate import simulate

CASES = 300
PER_TEST = 25
OF_EACH_PRESET = 50
MORE = int(os.environ.get("LEAP_CASES", "3000"))


def _same(left: pa.Table, right: pa.Table) -> bool:
    """Equal tables, NaN equal to NaN."""
    if left.equals(right):
        return True
    return left.schema == right.schema and all(
        str(a) == str(b) for a, b in zip(left.to_pylist(), right.to_pylist(), strict=True)
    )


def different(left: RunResult, right: RunResult) -> list[str]:
    tables = ("requests", "timeline", "steps")
    return [name for name in tables if not _same(getattr(left, name), getattr(right, name))]


def _check(seed: int, preset: str = "vllm-0.33") -> None:
    made = case(seed, preset)
    leaping = simulate(made.scenario, keep_steps=True, load=made.load)
    for how in ({"leap": False}, {"exact": True}, {"leap": False, "exact": True}):
        other = simulate(made.scenario, keep_steps=True, load=made.load, **how)
        assert not different(leaping, other), (seed, preset, how)


@pytest.mark.parametrize("first", range(0, CASES, PER_TEST))
def test_leaping_changes_nothing(first: int) -> None:
    for seed in range(first, first + PER_TEST):
        _check(seed)


@pytest.mark.parametrize("preset", [name for name in catalog.names("presets") if name != "vllm-0.33"])
def test_leaping_changes_nothing_under_any_preset(preset: str) -> None:
    for seed in range(OF_EACH_PRESET):
        _check(seed, preset)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(10_000, 10_000 + MORE, 500))
def test_leaping_changes_nothing_in_thousands_of_cases(first: int) -> None:
    for seed in range(first, first + 500):
        _check(seed)
