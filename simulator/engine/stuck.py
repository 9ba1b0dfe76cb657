"""Runs that would never end, since the real engine's would not: said by name in place of an endless loop."""

from __future__ import annotations

from simulator.engine.batch import Batch
from simulator.engine.request import Request
from simulator.engine.step import Step
from simulator.errors import InputError, Problem

PLANS = 1000
ROUNDS = 10
SHOWN = 5


class Drought:
    """Steps in a row that computed prompts but made no token, and the prompt tokens that they computed."""

    __slots__ = ("steps", "tokens")

    def __init__(self) -> None:
        self.steps = self.tokens = 0

    def note(self, name: str, batch: Batch, step: Step) -> None:
        """A step with chunks starts. Raises InputError for a livelock: everybody's prompts could have been
        computed ROUNDS times, in PLANS steps or more, and nobody got a token.
        """
        if step.decodes or step.finals:
            self.steps = self.tokens = 0
            return
        self.steps += 1
        self.tokens += sum(tokens for tokens, _ in step.chunks)
        if self.steps >= PLANS and self.tokens > ROUNDS * sum(known for _, known in _known(batch)):
            what = (
                f"livelock: no token in {self.steps:,} steps, requests preempt one another before their first"
            )
            raise InputError(_problem(name, what, batch))


def explain(name: str, batch: Batch) -> InputError:
    """An engine that has requests and nothing to run."""
    free = f"{batch.cache.free:,} of {batch.cache.total:,} KV blocks are free"
    what = f"stuck: requests are left, none can ever be scheduled, {free}"
    return InputError(_problem(name, what, batch))


def _known(batch: Batch) -> list[tuple[Request, int]]:
    return [(request, request.prompt + request.emitted) for request in batch.everyone()]


def _problem(name: str, what: str, batch: Batch) -> Problem:
    known = _known(batch)
    named = ", ".join(f"row {request.row} ({tokens:,} tokens)" for request, tokens in known[:SHOWN])
    more = f" and {len(known) - SHOWN:,} more" if len(known) > SHOWN else ""
    hint = "the engine itself would wait like this for ever: see docs/engine.md"
    return Problem(name, f"{what}: {named}{more}", "more KV blocks, or a smaller max_model_len", hint)
