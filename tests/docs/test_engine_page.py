"""docs/engine.md: every rule that the code names is there, its example runs, its table is measured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator import catalog
from simulator.plugins import names
from simulator.study import schedules

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "engine.md").read_text(encoding="utf-8")
RECORDED = ROOT.parent / "shared" / "engine" / "golden"
RULE = re.compile(r"(?<![\w.])([RSVHOT])([1-9]\d{0,2})\b(?:[–-]\1?(\d{1,3})\b)?")


def _named(text: str) -> set[str]:
    """Rules that a text names, those inside a range by its ends."""
    ends = ((letter, number) for letter, *numbers in RULE.findall(text) for number in numbers)
    return {letter + number for letter, number in ends if number}


def _defined() -> set[str]:
    return set(re.findall(r"^\| \*\*([RSVHOT]\d+)\*\* \|", PAGE, re.MULTILINE))


def test_every_rule_that_the_code_names_is_on_the_page() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "simulator" / "engine").rglob("*.py"))
    text += (ROOT / "simulator" / "catalog" / "presets.yaml").read_text(encoding="utf-8")
    assert _named(text) - _defined() == set()


def test_rules_are_defined_once() -> None:
    rows = re.findall(r"^\| \*\*([RSVHOT]\d+)\*\* \|", PAGE, re.MULTILINE)
    assert len(rows) == len(set(rows)) > 90


def test_every_preset_policy_and_planner_is_on_the_page() -> None:
    for name in (*catalog.names("presets"), *names("policies")):
        assert f"| `{name}` |" in PAGE, name
    assert all(name in PAGE for name in names("planners"))


def test_the_example_is_the_policy_that_the_tests_run() -> None:
    example = PAGE.split("```python\n")[1].split("```")[0]
    assert example.strip() == (ROOT / "tests" / "engine" / "aging.py").read_text(encoding="utf-8").strip()


def test_the_table_of_totals_is_what_the_recorded_schedules_give() -> None:
    if not RECORDED.is_dir():
        pytest.skip("the recorded schedules are not here")
    verdicts = [schedules.validate(path) for path in schedules.cases([str(RECORDED)])]
    assert all(not verdict.difference for verdict in verdicts)
    shown = PAGE.split("--by-kind -->\n")[1].split("\n<!-- end")[0]
    assert schedules.table(schedules.by_kind(verdicts)) == shown
