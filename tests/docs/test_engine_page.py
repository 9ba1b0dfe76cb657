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


HERE = re.compile(r"^\| \*\*[RSVHOT]\d+\*\* (?:\|[^|\n]*){2}\|([^|\n]*)\|", re.MULTILINE)
SHORT = {"v1": "vllm_v1"}


def _places() -> list[str]:
    """What stands in backticks where the page says where a rule is."""
    return [place for cell in HERE.findall(PAGE) for place in re.findall(r"`([^`]+)`", cell)]


def _source(name: str) -> str:
    """The source of a file of the engine, or of the file that has a class of that name."""
    files = [path for part in ("engine", "fleet") for path in (ROOT / "simulator" / part).rglob("*.py")]
    named = [path for path in files if path.stem == SHORT.get(name, name)]
    texts = [path.read_text(encoding="utf-8") for path in named or files]
    return next((text for text in texts if named or re.search(rf"class {name}\b", text)), "")


@pytest.mark.parametrize("place", sorted(set(_places())))
def test_where_a_rule_is_is_there(place: str) -> None:
    if place.endswith((".py", ".yaml")):
        assert [path for path in (ROOT / "simulator").rglob(place.rpartition("/")[2]) if place in str(path)]
        return
    owner, _, name = place.partition(".")
    source = _source(owner)
    assert source
    assert re.search(rf"def {name}\(|class {name}\b|self\.{name}\b" if name else ".", source), place


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
