"""Who goes first and who is preempted: one module a policy, each with `Options` (a dataclass) and `make`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator.engine.request import Request
from simulator.plugins import find, options
from simulator.scenario.resolved import EngineArgs, SloSpec

if TYPE_CHECKING:
    from simulator.engine.batch import Batch

Rank = tuple[float, ...]


class Setting(NamedTuple):
    """What a policy may know of the run: its seed and replication, for random streams, and the objectives."""

    seed: int = 0
    replication: int = 0
    slo: SloSpec | None = None


class Policy(NamedTuple):
    """key(request): smaller goes first, None for the order of arrival; victim(running): index of the one
    to preempt.

    ordered: the victim is always the last of `running`, as under first come first served.

    A key is asked for once, when the request joins the queue. An order that changes while requests wait
    has `rank(request, batch)` too, asked for anew at every look (batch.now_s is the time of the plan); it
    comes before the key. With `group(request)` only the first of each group, by key, is asked.
    taken(request): it leaves the queue for the batch; opened(request, batch, heads): it joins a group that
    had none waiting, those first of the others being heads.
    """

    key: Callable[[Request], Rank] | None
    victim: Callable[[Sequence[Request]], int]
    ordered: bool
    rank: Callable[[Request, Batch], Rank] | None = None
    group: Callable[[Request], int] | None = None
    taken: Callable[[Request], None] | None = None
    opened: Callable[[Request, Batch, list[Request]], None] | None = None


DEFAULT = Setting()


def largest(key: Callable[[Request], Rank]) -> Callable[[Sequence[Request]], int]:
    """A victim: the running request with the largest key."""
    return lambda running: max(range(len(running)), key=lambda i: key(running[i]))


def last(running: Sequence[Request]) -> int:
    """A victim: the running request that was admitted last."""
    return len(running) - 1


def build(args: EngineArgs, setting: Setting = DEFAULT) -> Policy:
    """A replica's own policy. Raises InputError if there is none of that name, or not with those options."""
    module = find("policies", args.scheduling_policy)
    given: dict[str, Any] = args.scheduling_options
    policy: Policy = module.make(options(module, given), setting)
    return policy
