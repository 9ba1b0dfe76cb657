"""Least slack first: the time left until the deadline, less that which the rest of the work takes.

The deadline is that of the first token (slo.ttft) until it is out, then that of the whole answer (slo.e2e).
All slacks shrink alike while requests wait, so the order needs no second look.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from simulator.engine.policies import Policy, Rank, Setting, largest
from simulator.engine.request import Request
from simulator.errors import InputError, Problem


@dataclass(frozen=True, slots=True)
class Options:
    """Expected seconds of work for a prompt token and for an output token; the answer's length is known."""

    prompt_token_s: float = 0.0
    output_token_s: float = 0.0


def make(options: Options, setting: Setting) -> Policy:
    slo = setting.slo
    first = slo.ttft_s if slo and slo.ttft_s else inf
    whole = slo.e2e_s if slo and slo.e2e_s else inf
    if min(first, whole) == inf:
        raise InputError(Problem("slo", "the policy slack has no effect without a bound", "ttft or e2e"))

    def key(request: Request) -> Rank:
        prefill = options.prompt_token_s * (request.prompt + request.emitted)
        rest = prefill + options.output_token_s * (request.output - request.emitted)
        until_first = inf if request.emitted else first - prefill
        return (request.arrival_s + min(until_first, whole - rest), request.order)

    return Policy(key, largest(key), False)
