"""Run one case through the reference and the simulator's scheduler, and say where they first differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import reference
from fuzz_invariants import broken_invariant

from simulator.study.schedules import COMPARED, Replay

MAX_STEPS = 3_000


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a case differs: exact (request by request) or from totals, the step, and what."""

    exact: bool
    step: int
    what: str

    def __str__(self) -> str:
        return f"{'exact' if self.exact else 'totals'}, step {self.step}: {self.what}"


def compare(case: dict[str, Any], max_steps: int = MAX_STEPS) -> tuple[int, Difference | None]:
    """Steps that the reference took, and the first difference of either way of planning."""
    expected = reference.run(case, max_steps)
    for exact in (True, False):
        difference = _replay(case, expected, exact)
        if difference:
            return len(expected), difference
    return len(expected), None


def _replay(case: dict[str, Any], expected: list[dict[str, Any]], exact: bool) -> Difference | None:
    replay = _new_replay(case, exact)
    for step in expected:
        try:
            what = _first_difference(step, replay.step()) or broken_invariant(replay.batch)
        except Exception as error:  # whatever the scheduler raises is what is looked for
            what = f"raised {error!r}"
        if what:
            return Difference(exact, step["step"], what)
    if len(expected) < MAX_STEPS and replay.busy():
        return Difference(exact, len(expected), "requests are left after the last step")
    return None


def _new_replay(case: dict[str, Any], exact: bool) -> Replay:
    replay = Replay(case, exact)
    for request in replay.to_come:
        if replay.name(request) in case.get("private", ()):
            request.pieces, request.output_segment, request.findable = (), 0, False
    return replay


def _first_difference(expected: dict[str, Any], got: dict[str, Any]) -> str:
    for key in COMPARED:
        ours, theirs = got.get(key) or None, expected.get(key) or None
        if ours != theirs:
            return f"{key}: expected {theirs}, got {ours}"
    return ""
