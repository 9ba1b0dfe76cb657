"""The small engine and its scenario, for the tests of results."""

from __future__ import annotations

import pytest
from small_engine import FakeRun, make_run, make_scenario

from simulator.scenario.resolved import Resolved


@pytest.fixture(scope="session")
def scenario() -> Resolved:
    return make_scenario()


@pytest.fixture(scope="session")
def fake_run(scenario: Resolved) -> FakeRun:
    return make_run(scenario)
