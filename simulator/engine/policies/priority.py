"""The smallest priority first, then by arrival; the largest is preempted (vLLM's `priority`, R2, R15)."""

from __future__ import annotations

from simulator.engine.policies import DEFAULT, Policy, Rank, Setting, largest
from simulator.engine.request import Request


def _key(request: Request) -> Rank:
    return (request.priority, request.order)


def make(options: None = None, setting: Setting = DEFAULT) -> Policy:
    return Policy(_key, largest(_key), False)
