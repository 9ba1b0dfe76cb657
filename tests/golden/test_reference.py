"""The reference itself reproduces every recorded schedule of the real engine."""

from __future__ import annotations

import pytest
import reference
from recorded import ABSENT, recorded_cases

from simulator.study.schedules import load

CASES = recorded_cases()


@pytest.mark.skipif(not CASES, reason=ABSENT)
def test_the_reference_agrees_with_every_recorded_schedule() -> None:
    """Whole steps are compared, whatever fields they hold."""
    cases = {path.name: load(path) for path in CASES}
    wrong = [name for name, case in cases.items() if reference.run(case, len(case["steps"])) != case["steps"]]
    assert wrong == []
