"""First come, first served; the latest admitted is preempted (vLLM's default, SPEC R2, R15)."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.engine.policies import Policy
from simulator.engine.request import Request


def _last(running: Sequence[Request]) -> int:
    return len(running) - 1


def make() -> Policy:
    return Policy(None, _last, True)
