"""Where the time of a replica's requests goes: clocks that requests note, and gaps that are no step's length.

A request notes a clock when its state changes, and the differences are the parts of its latency: nothing is
done for it in between, whatever the batch.
"""

from __future__ import annotations

from simulator.engine.batch import Batch
from simulator.engine.pauses import Pauses
from simulator.engine.request import Request
from simulator.engine.step import NOBODY, Step
from simulator.units import on_grid

Gaps = list[tuple[float, int, float]]
"""As Recorder.gaps: those of a step belong to it by its start."""


class Clocks:
    """stretch_s: what chunks of others have added to decodes so far, stretching_s: in the step that runs.

    returning: decodes of the running step that were left out of the one before it, wasted: those that had
    ended by then (R72); gaps: (seconds, weight, start of its run of
    steps, run_s) of inter-token gaps besides one a decode and step.
    """

    __slots__ = ("gaps", "left_before", "pauses", "returning", "stretch_s", "stretching_s", "wasted")

    def __init__(self, gaps: Gaps) -> None:
        self.gaps = gaps
        self.stretch_s = self.stretching_s = 0.0
        self.wasted = 0
        self.pauses = Pauses()
        self.left_before: list[Request] = NOBODY
        self.returning: list[Request] = NOBODY

    @property
    def odd(self) -> bool:
        """Whether some gaps of the running step are not of its length."""
        return bool(self.returning or self.wasted or self.pauses.over)

    def start(self, step: Step, batch: Batch, now: float) -> None:
        """A step starts: who comes back to decode, who pauses."""
        if self.left_before:
            self.returning = [r for r in self.left_before if r.since >= 0 and r not in step.left_out]
        self.left_before = step.left_out
        if step.resumed:
            self.returning = [*self.returning, *step.resumed]
        if step.alone:
            self.pauses.hold(batch.decodes - sum(request.since >= 0 for request in step.finals), now)
        elif self.pauses.groups:
            self.pauses.end()

    def share(self, step: Step, length: float) -> None:
        """Whose time a mixed step was: its length by tokens, and what it cost those that only decode."""
        self.stretch_s += self.stretching_s
        share_own(step, length)

    def first_tokens(self, step: Step, run_s: float, now: float) -> None:
        """The step's finals have a token: the first one, or the next one after a preemption."""
        for request in step.finals:
            request.stretch_mark_s = self.stretch_s
            token_of_prefill(request, run_s, now, self.gaps)

    def interrupted(self, step: Step, batch: Batch, now: float) -> None:
        """Decoding requests preempted or left out got their last token now, unless they were left out
        before.
        """
        sampled = step.interrupted or [
            r for r in step.preempted if r.prompt + r.emitted > r.target or r in batch.stale
        ]
        for request in [*sampled, *step.left_out]:
            if request not in self.left_before:
                request.last_token_s = self.pauses.leave(request, now)
        for request in sampled:
            self.stop(request)

    def resumed(self, request: Request, seen_s: float, now: float) -> None:
        """It decodes without a prefill here: its KV was kept on the host, or came with its first token, which
        is told by the plan that sees it, if it was not before.
        """
        if request.preemptions:
            request.paused_s += now - request.last_token_s
        elif request.first_token_s != request.first_token_s:
            request.first_token_s = request.last_token_s = seen_s
        request.stretch_mark_s = self.stretch_s

    def stop(self, request: Request) -> None:
        """It no longer decodes."""
        request.stretched_s += self.stretch_s - request.stretch_mark_s

    def odd_gaps(self, length: float, run_s: float, now: float) -> None:
        """Rows of the step that ends now that are no gap of its length: those left out before it, those
        ended before it (R72), those that paused.
        """
        for request in self.returning:
            self.gaps.append((now - request.last_token_s, 1, run_s))
        self.gaps.append((length, -len(self.returning) - self.wasted, run_s))
        if self.pauses.over:
            self.gaps.extend(self.pauses.gaps(length, run_s, now))
        self.returning = NOBODY
        self.wasted = 0


def share_own(step: Step, length: float) -> None:
    """Of a step with chunks: its length goes by tokens to those who have no first token yet."""
    tokens = step.decodes + sum(size for size, _ in step.chunks)
    for request, (size, _) in zip(step.requests, step.chunks):
        if request.first_token_s != request.first_token_s:
            request.own_s += on_grid(length * size / tokens)


def token_of_prefill(request: Request, start: float, now: float, gaps: Gaps) -> None:
    """Its last chunk ends, in a step since `start`: its first token, or the next one after a preemption."""
    request.last_token_s, before = now, request.last_token_s
    if request.first_token_s == request.first_token_s:
        request.paused_s += now - before
        gaps.append((now - before, 1, start))
    else:
        request.first_token_s = now
