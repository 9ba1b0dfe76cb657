"""Network ports and the transfers that share them.

A port divides its bandwidth equally among the transfers through it (processor sharing); a transfer passes
two ports, its sender's and its receiver's, and runs at the smaller of its two shares. What one port
leaves unused is not given to others.
"""

from __future__ import annotations

from collections.abc import Callable

from simpy import Environment
from simpy.events import Event, EventPriority

from simulator.engine.events import DELIVER, Alarm
from simulator.units import on_grid


class Port:
    """One direction of a replica's network: `bytes_per_s`, and the transfers now on it. busy_s: time with
    any; moved: bytes of those that are through.
    """

    __slots__ = ("busy_s", "bytes_per_s", "flows", "moved", "since_s")

    def __init__(self, bytes_per_s: float) -> None:
        self.bytes_per_s = bytes_per_s
        self.flows: dict[Flow, None] = {}
        self.busy_s = 0.0
        self.moved = 0.0
        self.since_s = 0.0

    def share(self) -> float:
        return self.bytes_per_s / len(self.flows)


class Flow:
    """A transfer of `left` more bytes as of updated_s, at `rate` bytes a second."""

    __slots__ = ("alarm", "arrived", "left", "ports", "rate", "row", "size", "updated_s")

    def __init__(
        self, row: int, size: float, ports: tuple[Port, ...], arrived: Callable[[float], None]
    ) -> None:
        self.row = row
        self.size = self.left = size
        self.ports = ports
        self.arrived = arrived
        self.rate = 0.0
        self.updated_s = 0.0
        self.alarm: Event | None = None


class Network:
    """Starts transfers and tells when they are through."""

    __slots__ = ("_env", "latency_s")

    def __init__(self, env: Environment, latency_s: float) -> None:
        self._env = env
        self.latency_s = on_grid(latency_s)

    def send(self, row: int, size: float, ports: tuple[Port, ...], arrived: Callable[[float], None]) -> None:
        """Move `size` bytes through both ports after the latency; arrived(now) is called at the end."""
        flow = Flow(row, size, ports, arrived)
        alarm = Alarm(self._env, lambda event: self._begin(flow))
        self._env.schedule(alarm, EventPriority(DELIVER | row), self.latency_s)

    def _begin(self, flow: Flow) -> None:
        now = self._env.now
        flow.updated_s = now
        for port in flow.ports:
            if not port.flows:
                port.since_s = now
            port.flows[flow] = None
        self._share(flow.ports, now)

    def _share(self, ports: tuple[Port, ...], now: float) -> None:
        """The number of transfers through these ports has changed: new rates, new ends."""
        for flow in dict.fromkeys(flow for port in ports for flow in port.flows):
            rate = min(port.share() for port in flow.ports)
            if rate != flow.rate:
                flow.left = max(flow.left - flow.rate * (now - flow.updated_s), 0.0)
                flow.updated_s = now
                flow.rate = rate
                self._plan(flow, now)

    def _plan(self, flow: Flow, now: float) -> None:
        at = now + on_grid(flow.left / flow.rate)
        flow.alarm = alarm = Alarm(self._env, lambda event: self._end(flow, event))
        self._env.schedule(alarm, EventPriority(DELIVER | flow.row), at - now)

    def _end(self, flow: Flow, event: Event) -> None:
        if event is not flow.alarm:
            return
        now = self._env.now
        for port in flow.ports:
            del port.flows[flow]
            port.moved += flow.size
            if not port.flows:
                port.busy_s += now - port.since_s
        self._share(flow.ports, now)
        flow.arrived(now)
