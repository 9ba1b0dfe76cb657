"""Pipelines for tests: fleets with stages, random ones, and an engine core of our own beside them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from disaggregated import disaggregated
from fleets import Case, case

from simulator.scenario.resolved import Resolved

PRESETS = ("vllm-0.33", "vllm-0.15", "vllm-0.11", "vllm-0.8")


def staged(scenario: Resolved, *stages: int) -> Resolved:
    """The same fleet, each pool's replicas of so many stages: one number for all, or one a pool."""
    pools = scenario.fleet.pools
    counts = stages * len(pools) if len(stages) == 1 else stages
    cut = tuple(
        replace(pool, layout=replace(pool.layout, pipeline_parallel_size=count))
        for pool, count in zip(pools, counts, strict=True)
    )
    return replace(scenario, fleet=replace(scenario.fleet, pools=cut))


def with_engine(scenario: Resolved, **engine: Any) -> Resolved:
    """The same fleet with those engine arguments in every pool."""
    pools = tuple(replace(pool, engine=replace(pool.engine, **engine)) for pool in scenario.fleet.pools)
    return replace(scenario, fleet=replace(scenario.fleet, pools=pools))


def staged_case(seed: int) -> Case:
    """The same case for the same seed: one in three with prefill pools; a pool may have one stage."""
    rng = np.random.default_rng([seed, 3])
    made = disaggregated(seed) if seed % 3 == 0 else case(seed, str(rng.choice(PRESETS)))
    stages = [int(rng.integers(1, 5)) for _ in made.scenario.fleet.pools]
    return replace(made, scenario=staged(made.scenario, *stages))


@dataclass
class Asked:
    """A request as the core below sees it. computed: its tokens that were scheduled; scheduled, made: output
    tokens; in_flight: batches that hold it; eligible: the step from which on it may decode."""

    row: int
    arrival_s: float
    prompt: int
    output: int
    computed: int = 0
    scheduled: int = 0
    made: int = 0
    in_flight: int = 0
    eligible: int = 0
    first_s: float = float("nan")
    finish_s: float = float("nan")


Item = tuple[Asked, bool]
"""In a batch: a request, and whether it makes a token there."""


@dataclass
class Core:
    """vLLM's engine core with a batch queue, request by request: docs/engine.md R70–R75, without blocks.

    Steps take step_s in all, an equal part on each stage. is_async: one batch more than stages is planned and
    the stages' lanes take turns; chunks_in_flight: a prompt may be in several batches.
    """

    stages: int
    step_s: float
    budget: int
    seqs: int
    is_async: bool
    chunks_in_flight: bool = True

    def run(self, requests: list[Asked]) -> list[Asked]:
        """Sets first_s and finish_s of each."""
        self.now, self.number, self.left = 0.0, 0, [0.0] * self.stages
        self.waiting, self.running = deque[Asked](), list[Asked]()
        coming, queue, ends = deque(requests), deque[tuple[list[Item], float]](), [0.0] * self.stages
        while coming or self.waiting or self.running or queue:
            while coming and coming[0].arrival_s <= self.now:
                self.waiting.append(coming.popleft())
            room = len(queue) < self.stages + self.is_async
            if room and (self.waiting or self.running):
                items = self._schedule()
                if items or self.is_async:
                    ends.append(self._pass(max(self.now, ends[-self.stages])) if items else ends[-1])
                    queue.append((items, ends[-1]))
                    continue
            if queue:
                self._outputs(*queue.popleft())
            elif coming:
                self.now = max(self.now, coming[0].arrival_s)
        return requests

    def _schedule(self) -> list[Item]:
        items: list[Item] = []
        budget, self.number = self.budget, self.number + 1
        for request in self.running:
            budget -= self._give(request, min(self._wanted(request), budget), items)
        while budget and self.waiting and len(self.running) < self.seqs:
            request = self.waiting.popleft()
            self.running.append(request)
            budget -= self._give(request, min(request.prompt, budget), items)
        return items

    def _wanted(self, request: Asked) -> int:
        if request.computed < request.prompt:
            return request.prompt - request.computed if self.chunks_in_flight or not request.in_flight else 0
        free = self.number >= request.eligible if self.is_async else not request.in_flight
        return int(free and request.scheduled < request.output)

    def _give(self, request: Asked, tokens: int, items: list[Item]) -> int:
        if tokens:
            request.computed += tokens
            request.in_flight += 1
            request.eligible = self.number + self.stages
            makes = request.computed >= request.prompt
            request.scheduled += makes
            items.append((request, makes))
        return tokens

    def _pass(self, ready_s: float) -> float:
        """The recursion of a tandem line."""
        for stage in range(self.stages):
            ready_s = self.left[stage] = max(ready_s, self.left[stage]) + self.step_s / self.stages
        return ready_s

    def _outputs(self, items: list[Item], end_s: float) -> None:
        self.now = max(self.now, end_s)
        for request, makes in items:
            request.in_flight -= 1
            request.made += makes
            if makes and request.made == 1:
                request.first_s = self.now
            if request.made == request.output:
                request.finish_s = self.now
                self.running.remove(request)
