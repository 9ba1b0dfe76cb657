"""The comparison in a terminal: the verdict first, one screen, what is refused as dashes, any width."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from comparisons import document
from rich.console import Console

from simulator.report.compare import changed, metric_cells, show
from simulator.study.compare_verdict import percent, signed


@pytest.fixture(scope="module")
def two() -> dict[str, Any]:
    return document(0.01, 0.008)


def shown(found: dict[str, Any], width: int = 100, **how: Any) -> str:
    out = io.StringIO()
    show(found, Console(file=out, width=width, highlight=False, **how), ("reports/x",))
    return out.getvalue()


def test_the_verdict_comes_first_and_all_fits_a_screen(two: dict[str, Any]) -> None:
    lines = shown(two).splitlines()
    assert lines[0] == two["verdict"]["sentences"][0]
    assert lines[0].startswith("design-b against design-a: TTFT p99 −")
    assert lines[-1] == "reports/x"
    assert len(lines) <= 24
    text = "\n".join(lines)
    for label in ("TTFT p99 ms", "goodput per $", "$/M tokens", "own decode", "slowest 1 % TTFT", "3/3"):
        assert label in text
    assert "3 pairs of replications under the same requests" in text


def test_a_row_says_what_the_document_says(two: dict[str, Any]) -> None:
    row = next(line for line in shown(two).splitlines() if line.startswith("TPOT p50"))
    assert row.split()[3:5] == ["10.0", "8.00"]
    assert "−20 % [−20, −20]" in row


def test_refused_latencies_are_dashes() -> None:
    found = document(0.01, 0.1, rate=0.1, requests=1500)
    lines = shown(found).splitlines()
    assert lines[0].startswith("design-b is saturated: ")
    row = next(line for line in lines if line.startswith("TTFT p99"))
    assert row.split()[-3:] == ["–"] * 3


def test_more_designs_get_columns_of_their_own() -> None:
    text = shown(document(0.01, 0.009, 0.008), 140)
    assert text.count("against design-a: ") == 2
    assert "change in 97.5 %" in text
    assert "Bonferroni" in text
    row = next(line for line in text.splitlines() if line.startswith("own decode"))
    assert row.count("→") == 6


def test_names_of_more_than_two_designs_are_not_cut_to_pieces() -> None:
    found = document(0.01, 0.009, 0.008)
    names = [design["label"] for design in found["designs"]]
    for width in (60, 80, 100, 140):
        text = shown(found, width)
        assert all(re.search(rf"^ .*\b{name}\b", text, re.MULTILINE) for name in names), width


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("factors", [(0.008,), (0.009, 0.008)])
def test_no_figure_is_cut_at_any_width(width: int, factors: tuple[float, ...]) -> None:
    found = document(0.01, *factors)
    text = shown(found, width, force_terminal=True, no_color=True)
    assert not re.search(r"\S…", text)
    _, rows = metric_cells(found)
    for row in rows:  # how many pairs were won has no place on the narrowest
        for figure in row[: 1 + 2 * len(found["designs"]) - 1]:
            assert figure.partition(" [")[0] in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_any_width_will_do(two: dict[str, Any], width: int) -> None:
    text = shown(two, width, force_terminal=True, no_color=True)
    plain = text.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert max(len(line) for line in plain.splitlines()) <= width


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0"), (0.0004, "0"), (-0.38, "−38"), (0.0312, "+3.1"), (-0.0999, "−10"), (12.345, "+1,234")],
)
def test_signs_and_digits(share: float, text: str) -> None:
    assert signed(share) == text


def change(a: float, b: float, low: float, high: float) -> dict[str, Any]:
    ends = {"low": low, "high": high}
    return {"a": a, "b": b, "relative": ends, "difference": {"low": low * a, "high": high * a}}


def test_changes_in_words() -> None:
    assert percent(change(1.0, 0.62, -0.45, -0.3)) == "−38 % [−45, −30]"
    assert percent(change(1.0, 25.0, 19.0, 29.0)) == "×25 [20, 30]"
    assert changed(change(1.0, 1.0, 0.0, 0.0)) == "="
    assert changed(None) == "–"
    assert changed({"refused": "b is saturated"}) == "–"
