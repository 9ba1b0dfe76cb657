"""An instant has phases, and a callback in one of them is all that the event loop is asked for.

The priority of an event is phase | index (a replica's number or a request's row): the order of events at
one instant is total, and never that in which they were made.
"""

from __future__ import annotations

from collections.abc import Callable

from simpy import Environment
from simpy.events import Event

FINISH, CONTROL, DELIVER, PLAN, START, OBSERVE = (phase << 32 for phase in range(6))
"""Steps end; failures and scaling; arrivals and transfers; next steps; those taken together; probes."""


class Alarm(Event):
    """A callback at a time, nothing else."""

    _ok = True
    _value = None

    def __init__(self, env: Environment, callback: Callable[[Event], None]) -> None:
        self.env = env
        self.callbacks = [callback]
