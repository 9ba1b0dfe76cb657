"""Random cases: the simulator's scheduler against the reference, every step and every invariant (R99).

`pytest -m slow tests/golden` runs 1,000 cases of each profile (29,000); SIM_FUZZ_CASES sets another number,
SIM_FUZZ_FROM_SEED other seeds.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from fuzz import failures
from fuzz_cases import PROFILES, make
from fuzz_compare import compare
from fuzz_shrink import shrink

FAST = range(20)
SLOW_FROM = int(os.environ.get("SIM_FUZZ_FROM_SEED", "1000"))
SLOW = range(SLOW_FROM, SLOW_FROM + int(os.environ.get("SIM_FUZZ_CASES", "1000")))

FOUND = json.loads(Path(__file__).with_name("found.json").read_text())
SHARP = json.loads(Path(__file__).with_name("sharp.json").read_text())


def _differences(profile: str, seeds: range) -> str:
    return "\n".join(str(failure) for failure in failures(profile, seeds))


@pytest.mark.parametrize("profile", PROFILES)
def test_a_few_random_cases_agree_with_the_reference(profile: str) -> None:
    """Both ways of planning give the reference's steps, and every invariant holds after each."""
    assert _differences(profile, FAST) == ""


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_many_random_cases_agree_with_the_reference(profile: str) -> None:
    """The same for other seeds, as many as asked for."""
    assert _differences(profile, SLOW) == ""


@pytest.mark.parametrize("case", FOUND, ids=lambda case: case["what"])
def test_what_once_differed_agrees(case: dict[str, Any]) -> None:
    """Minimised cases in which the simulator was wrong."""
    assert compare(case)[1] is None


@pytest.mark.parametrize("case", SHARP, ids=lambda case: case["what"])
def test_what_random_cases_hardly_show_agrees(case: dict[str, Any]) -> None:
    """Made by hand: each tells a rule from a likely slip in it that hundreds of random cases let pass."""
    assert compare(case)[1] is None


def test_a_case_is_the_same_whenever_it_is_made() -> None:
    """A seed printed once must bring its case back."""
    assert make("everything", 7) == make("everything", 7)
    assert make("everything", 7) != make("everything", 8)


def test_a_wrong_rule_is_found_and_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one block too few in the pool the simulator differs, and a single request remains of the case."""
    monkeypatch.setattr("reference_state.new_pool", _one_block_more)
    small = shrink(make("pressure", 3), lambda case: compare(case)[1] is not None)
    assert len(small["requests"]) == 1


def _one_block_more(size: int, num_blocks: int, caching: bool) -> object:
    from reference_blocks import new_pool

    return new_pool(size, num_blocks + 1, caching)
