"""Who goes first and who is preempted: one module a policy, each with `key` and `victim`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from simulator.engine.request import Request


class Policy(NamedTuple):
    """key(request): smaller goes first, None for the order of arrival; victim(running): index of the one
    to preempt.

    ordered: the victim is always the last of `running`, as under first come first served.
    """

    key: Callable[[Request], tuple[float, ...]] | None
    victim: Callable[[Sequence[Request]], int]
    ordered: bool
