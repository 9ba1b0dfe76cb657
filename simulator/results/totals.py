"""What the steps of each replica add up to, by kind of step: how its mean step looks, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.results.timeline import ReplicaFacts

Floats = NDArray[np.floating[Any]]

KINDS = PREFILL, MIXED, DECODE = range(3)
"""Steps that only prefill, do both, only decode."""


class Sums(NamedTuple):
    """Whole numbers, summed over steps: exact whatever their order. seconds: in units of 2⁻²⁸ s.

    full: of the seconds, those of steps that used the whole token budget; decodes: tokens decoded; context:
    keys that they read; tokens, pairs, chunks: prompt tokens computed, their query-key pairs, their chunks.
    """

    seconds: Floats
    full: Floats
    steps: Floats
    decodes: Floats
    context: Floats
    tokens: Floats
    pairs: Floats
    chunks: Floats


def kind_of(decodes: Floats, chunks: Floats) -> NDArray[np.int64]:
    """Of each run of steps."""
    return np.where(chunks == 0, DECODE, np.where(decodes > 0, MIXED, PREFILL))


class Totals:
    """Adds up runs of steps: Sums whose fields are [replicas, kinds]."""

    __slots__ = ("_budget", "sums")

    def __init__(self, replicas: Sequence[ReplicaFacts]) -> None:
        self._budget = np.array([replica.max_num_batched_tokens for replica in replicas], np.float64)
        self.sums = Sums._make(np.zeros((len(Sums._fields), len(replicas), len(KINDS))))

    def add(self, step: Mapping[str, Floats], units: Floats) -> None:
        """step: columns of StepRow; units [runs]: how long each run took."""
        steps, decodes, chunks = step["steps"], step["decodes"], step["chunks"]
        replica = step["replica"].astype(np.int64)
        kind = kind_of(decodes, chunks)
        budget = self._budget[replica]
        full = (budget > 0) & (decodes + step["prefill_tokens"] >= budget)
        amounts = Sums(
            seconds=units,
            full=units * full,
            steps=steps,
            decodes=steps * decodes,
            context=steps * step["context_sum"] + decodes * (steps * (steps - 1) / 2),
            tokens=step["prefill_tokens"],
            pairs=step["prefill_pairs"],
            chunks=chunks,
        )
        cell = replica * len(KINDS) + kind
        self.sums = Sums._make(
            total + np.bincount(cell, amount, total.size).reshape(total.shape)
            for total, amount in zip(self.sums, amounts, strict=True)
        )

    def of(self, replicas: Sequence[int]) -> Sums:
        """Of those replicas together, each field [kinds]."""
        return Sums._make(total[list(replicas)].sum(axis=0) for total in self.sums)
