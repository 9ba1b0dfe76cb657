"""Random pipelines against the reference with several batches in flight: every step, every request (R70–R75).

Blocks, preemption, prefix caching, stop tokens and priorities included; what one batch in flight cannot show
is seen here: tokens on their way when their request is preempted, lanes that generate the same content.
`pytest -m slow` runs as many cases as SIM_FUZZ_CASES says, from SIM_FUZZ_FROM_SEED on.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from fuzz_cases import PROFILES, make
from fuzz_pipeline import compare

ALONE = [name for name in PROFILES if not name.startswith("pd-")]
FAST = range(10)
SLOW_FROM = int(os.environ.get("SIM_FUZZ_FROM_SEED", "1000"))
SLOW = range(SLOW_FROM, SLOW_FROM + int(os.environ.get("SIM_FUZZ_CASES", "500")))
FOUND = json.loads(Path(__file__).with_name("found_pipeline.json").read_text())


def _differences(profile: str, seeds: range) -> list[str]:
    """Two to four stages, rules of older releases in some."""
    found = []
    for seed in seeds:
        case = make(profile, seed)
        chunks_in_flight = seed % 2 == 0 or case["config"]["async_scheduling"]
        rules = {"chunks_in_flight": chunks_in_flight, "preempted_ends_scan": seed % 4 > 1}
        what = compare(case, 2 + seed % 3, rules)
        if what:
            found.append(f"{profile}, seed {seed}: {what}")
    return found


@pytest.mark.parametrize("profile", ALONE)
def test_a_few_random_pipelines_agree_with_the_reference(profile: str) -> None:
    assert _differences(profile, FAST) == []


@pytest.mark.slow
@pytest.mark.parametrize("profile", ALONE)
def test_many_random_pipelines_agree_with_the_reference(profile: str) -> None:
    assert _differences(profile, SLOW) == []


@pytest.mark.parametrize("case", FOUND, ids=lambda case: case["what"])
def test_what_once_differed_in_a_pipeline_agrees(case: dict[str, Any]) -> None:
    """Minimised cases in which the simulator was wrong."""
    assert compare(case, case["stages"], {}) == ""
