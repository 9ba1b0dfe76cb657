"""First come, first served; the latest admitted is preempted (vLLM's default, R2, R15)."""

from __future__ import annotations

from simulator.engine.policies import DEFAULT, Policy, Setting, last


def make(options: None = None, setting: Setting = DEFAULT) -> Policy:
    return Policy(None, last, True)
