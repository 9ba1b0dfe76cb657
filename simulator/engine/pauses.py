"""Requests that decode but sit out steps of prefill alone (V1, S1), and the gaps between their tokens.

Nothing of a single one is touched: they are counted in groups, by the time of their last token.
"""

from __future__ import annotations

from simulator.engine.request import Request


class Pauses:
    """groups: [time of the last token, requests] of those that pause now; over: of those whose next token
    the running step makes.
    """

    __slots__ = ("groups", "over")

    def __init__(self) -> None:
        self.groups: list[list[float]] = []
        self.over: list[list[float]] = []

    def hold(self, decoding: int, now: float) -> None:
        """A step without decodes starts while so many decode; the new ones among them had a token now."""
        new = decoding - sum(int(count) for _, count in self.groups)
        if new > 0:
            self.groups.append([now, new])

    def end(self) -> None:
        """A step with decodes starts."""
        self.over, self.groups = self.groups, []

    def leave(self, request: Request, now: float) -> float:
        """When a request that is preempted got its last token: now, or before the pause that it is in."""
        if not self.groups:
            return now
        first = self.groups[0][0]
        last = request.last_token_s if request.last_token_s > first else first
        for group in self.groups:
            if group[0] == last:
                group[1] -= 1
        return last

    def gaps(self, length: float, run_s: float, now: float) -> list[tuple[float, int, float]]:
        """What to add to the gaps of a step that ends now, which counts one of its length for each decode."""
        found = [(now - last, int(count), run_s) for last, count in self.over if count]
        found.append((length, -sum(count for _, count, _ in found), run_s))
        self.over = []
        return found
