"""Prefill time against the tokens of a step, and against prompts that wait together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.study.roofline.replica import Replica
from simulator.study.roofline.steps import Step, prefill

LENGTHS = tuple(1 << power for power in range(6, 18))
PROMPTS = (1, 2, 4, 8, 16)
SATURATED = 0.95


@dataclass(frozen=True, slots=True)
class Prefills:
    """by_length: one prompt each; saturated_tokens: the shortest of them within 5 % of the highest tokens a
    second; by_prompts: several prompts of the study's length that wait together, a step holding `budget`
    tokens."""

    budget: int
    by_length: tuple[Step, ...]
    saturated_tokens: int
    by_prompts: tuple[Step, ...]


def prefills(replica: Replica, prompt: int) -> Prefills:
    longest = replica.model.shape.max_position_embeddings
    lengths = sorted({prompt, *(size for size in LENGTHS if size <= min(longest, LENGTHS[-1]))})
    by_length = [prefill(replica, size) for size in lengths]
    return Prefills(
        replica.cost.engine.max_num_batched_tokens,
        tuple(by_length),
        saturated(by_length),
        tuple(prefill(replica, prompt, count) for count in PROMPTS),
    )


def saturated(steps: Sequence[Step]) -> int:
    best = max(step.tokens_per_s for step in steps)
    return next(step.tokens for step in steps if step.tokens_per_s >= SATURATED * best)
