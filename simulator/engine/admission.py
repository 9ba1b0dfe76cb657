"""What SGLang keeps between admissions: the share of outputs that it expects, and whether it is shut."""

from __future__ import annotations

from simulator.engine.batch import Batch
from simulator.engine.request import Request

INITIAL, LEAST, DECAY_STEPS = 0.7, 0.14, 600
RESERVED_STEPS, CLIP = 20, 4096


class Admission:
    """shut: nobody is admitted until somebody leaves (S6); running: who ran at the last plan; `ratio` of the
    remaining output tokens that is reserved, as it was at decode step `since` (S5).
    """

    __slots__ = ("decay", "initial", "least", "ratio", "running", "shut", "since")

    def __init__(self, conservativeness: float) -> None:
        self.initial = min(INITIAL * conservativeness, 1.0)
        self.least = self.initial * LEAST
        self.decay = (self.initial - self.least) / DECAY_STEPS
        self.shut = False
        self.running = 0
        self.reset(self.initial, 0)

    def reset(self, ratio: float, step: int) -> None:
        self.ratio, self.since = ratio, step

    def expected(self, step: int) -> float:
        """The ratio after the decode steps up to `step`: it falls by the same amount in each."""
        return max(self.ratio - (step - self.since) * self.decay, self.least)

    def reserved(self, batch: Batch) -> float:
        """Tokens that those past their prompt are expected to generate yet (S4)."""
        ratio = self.expected(batch.step)
        done = (request for request in batch.running if request not in batch.prefilling)
        return sum(left(request, batch.generated(request)) * ratio for request in done)

    def retracted(self, batch: Batch, kept: list[Request]) -> None:
        """The ratio after a retraction: what those kept have generated, and some more, of what they may."""
        generated = sum(batch.generated(request) for request in kept) + RESERVED_STEPS * len(kept)
        ratio = generated / (sum(request.max_tokens for request in kept) + 1)
        self.reset(min(1.0, ratio), batch.step + 1)


def left(request: Request, generated: int) -> int:
    """Output tokens that a request may make yet, as far as the engine looks ahead."""
    return min(max(request.max_tokens - generated, 0), CLIP)
