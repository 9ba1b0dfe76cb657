"""Every recorded schedule of the real engine is reproduced step by step, by both ways of planning."""

from __future__ import annotations

from functools import cache

import pytest
from recorded import ABSENT, recorded_cases

from simulator.study.schedules import Verdict, validate

CASES = recorded_cases()
pytestmark = pytest.mark.skipif(not CASES, reason=ABSENT)


@cache
def _verdicts(exact: bool) -> list[Verdict]:
    return [validate(path, exact=exact) for path in CASES]


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "totals"])
def test_every_recorded_schedule_is_reproduced(exact: bool) -> None:
    """No step of any case differs in any recorded field, planned request by request or from totals."""
    different = [(verdict.name, verdict.difference) for verdict in _verdicts(exact) if verdict.difference]
    assert different == []


def test_totals_answer_most_steps_of_the_recorded_schedules() -> None:
    """The short way must not agree merely by never being taken: it plans at least half of the steps."""
    verdicts = _verdicts(False)
    assert 2 * sum(verdict.from_totals for verdict in verdicts) > sum(verdict.steps for verdict in verdicts)
