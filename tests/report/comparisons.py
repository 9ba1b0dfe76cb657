"""Small comparisons, for the tests of their screen and their page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runs import scenario

from simulator.scenario.resolved import Resolved
from simulator.study.compare import Asked, compare


def scenarios(*steps: float, rate: float = 0.01, requests: int = 300) -> tuple[tuple[str, Resolved], ...]:
    """design-a, design-b, …: a replica of 64 places each, with steps of so many seconds."""
    designs = []
    for number, step_s in enumerate(steps):
        made = scenario(step_s=step_s, max_num_seqs=64)
        load = replace(made.workload, limit=requests, rate_scale=rate)
        designs.append((f"design-{chr(97 + number)}", replace(made, workload=load, hash=str(number))))
    return tuple(designs)


def document(*steps: float, rate: float = 0.01, requests: int = 300, replications: int = 3) -> dict[str, Any]:
    return compare(Asked(scenarios(*steps, rate=rate, requests=requests), replications), 1)
