"""docs/roofline.md says what the commands say: every row is computed again."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from simulator.cli import VERBS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "roofline.md"


@pytest.fixture(autouse=True)
def claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/claims can be imported, and its commands find the traces."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "docs"), *sys.path])
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("COLUMNS", raising=False)


def test_the_page_is_what_its_claims_come_to_now() -> None:
    """Figures, verdicts and drawings; `python docs/make_roofline.py` writes it again."""
    from claims.page import page

    assert page().splitlines() == PAGE.read_text(encoding="utf-8").splitlines()


def test_every_row_has_a_claim_a_verdict_a_figure_and_a_command() -> None:
    from claims.claim import COMMANDS, HOLDS, OPEN, PARTLY, WRONG
    from claims.page import SECTIONS

    claims = [claim for some in SECTIONS.values() for claim in some]
    assert len(claims) >= 50
    assert len({claim.says for claim in claims}) == len(claims)
    for claim in claims:
        assert claim.verdict in (HOLDS, PARTLY, WRONG, OPEN)
        assert claim.why or claim.verdict == HOLDS
        assert bool(claim.commands) == (claim.verdict != OPEN)
        assert set(claim.commands) <= COMMANDS.keys()
        assert "|" not in claim.says + claim.why
    used = {name for claim in claims for name in claim.commands}
    assert used == COMMANDS.keys()


def test_the_commands_are_commands() -> None:
    from claims.claim import COMMANDS

    for command in COMMANDS.values():
        program, verb, *_ = shlex.split(command)
        assert program == "sim"
        assert verb in VERBS
