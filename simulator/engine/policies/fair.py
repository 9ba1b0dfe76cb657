"""Fair among tenants: next is the tenant that was served least (virtual token counters, Sheng 2024)."""

from collections import defaultdict
from dataclasses import dataclass

from simulator.engine.batch import Batch
from simulator.engine.policies import Policy, Rank, Setting, last
from simulator.engine.request import Request


@dataclass(frozen=True, slots=True)
class Options:
    """What a prompt token counts when its request is admitted, and an output token when it is generated."""

    prompt_weight: float = 1.0
    output_weight: float = 2.0


def make(options: Options, setting: Setting) -> Policy:
    counters: dict[int, float] = defaultdict(float)
    charged: dict[Request, int] = {}  # output tokens, of those in service

    def taken(request: Request) -> None:
        charged.setdefault(request, 0)
        counters[request.tenant] += options.prompt_weight * request.prompt * (not request.preemptions)

    def rank(request: Request, batch: Batch) -> Rank:
        for served, before in list(charged.items()):
            charged[served] = batch.generated(served)
            counters[served.tenant] += options.output_weight * (charged[served] - before)
            if served.emitted == served.output:
                del charged[served]
        return (counters[request.tenant],)

    def opened(request: Request, batch: Batch, heads: list[Request]) -> None:
        least = min((rank(head, batch)[0] for head in heads), default=0.0)
        counters[request.tenant] = max(rank(request, batch)[0], least)  # nothing is owed for absence

    return Policy(None, last, False, rank, lambda request: request.tenant, taken, opened)
