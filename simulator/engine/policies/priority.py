"""The smallest priority value first, then by arrival; the largest is preempted (vLLM's `priority`, SPEC
R2, R15).
"""

from __future__ import annotations

from collections.abc import Sequence

from simulator.engine.policies import Policy
from simulator.engine.request import Request


def _key(request: Request) -> tuple[float, ...]:
    return (request.priority, request.order)


def _victim(running: Sequence[Request]) -> int:
    return max(range(len(running)), key=lambda i: _key(running[i]))


def make() -> Policy:
    return Policy(_key, _victim, False)
