"""Network ports and the transfers that share them.

A port divides its bandwidth equally among the transfers that have bytes to send through it (processor
sharing); a transfer passes two ports, its sender's and its receiver's, and runs at the smaller of its two
shares. What one port leaves unused is not given to others.

What a transfer sends may still be in the making. The KV of a step's L layers is made one layer after the
other; here the first layer's bytes flow in while the second is computed, and so on, so that a transfer that
keeps up trickles at the pace at which layers are made, takes no more of its ports than that, and has one
layer left when the step ends. On a link whose share does not change within a step, that ends each step's
bytes exactly when sending layer by layer does: tests/theory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from simpy import Environment
from simpy.events import Event, EventPriority

from simulator.engine.events import DELIVER, Alarm
from simulator.units import on_grid

ENOUGH = 1 - 1e-12  # of the pace at which bytes are made: a share that is less only by rounding keeps up


class Port:
    """One direction of a replica's network: `bytes_per_s`, and the transfers now on it.

    flows: each with its weight, the bytes that pass here for one of the transfer; trickles: those that take
    less than a share, since they send as they are made. busy_s: time with a transfer, that of trickles alone
    by what they take; moved: bytes of those that are through.
    """

    __slots__ = ("busy_s", "bytes_per_s", "flows", "moved", "since_s", "trickles")

    def __init__(self, bytes_per_s: float) -> None:
        self.bytes_per_s = bytes_per_s
        self.flows: dict[Flow, float] = {}
        self.trickles: dict[Flow, float] = {}
        self.busy_s = 0.0
        self.moved = 0.0
        self.since_s = 0.0

    def share(self) -> float:
        """Bytes a second for each transfer that always has bytes to send."""
        left, many = self.bytes_per_s, len(self.flows)
        if not self.trickles:
            return left / (many or 1)
        for needed in sorted(self.trickles.values()):
            if needed * many > left:
                break
            left -= needed
            many -= 1
        return left / many if many else self.bytes_per_s

    def note(self, now: float) -> None:
        """The time until now counts by who was there; call it before anything changes."""
        if len(self.flows) > len(self.trickles):
            self.busy_s += now - self.since_s
        elif self.flows:
            self.busy_s += (now - self.since_s) * min(sum(self.trickles.values()) / self.bytes_per_s, 1.0)
        self.since_s = now


class Flow:
    """A transfer: as of updated_s, `ready` bytes that could be sent and are not, `coming` more a second,
    sent at `rate`. trickling: it has none ready, and sends as they come; last: no more will come after those.
    """

    __slots__ = (
        "alarm", "arrived", "coming", "last", "ports", "rate", "ready", "row", "size", "trickling",
        "updated_s", "weights",
    )  # fmt: skip

    def __init__(
        self,
        row: int,
        ports: tuple[Port, ...],
        arrived: Callable[[float], None],
        weights: tuple[float, ...] = (),
    ) -> None:
        """weights: bytes through each port for one of the transfer; default: one."""
        self.row = row
        self.ports = ports
        self.weights = weights or (1.0,) * len(ports)
        self.arrived = arrived
        self.size = self.ready = self.coming = self.rate = self.updated_s = 0.0
        self.last = self.trickling = False
        self.alarm: Event | None = None

    def share(self) -> float:
        """The most that its ports let it send, bytes a second."""
        least = float("inf")
        for port, weight in zip(self.ports, self.weights):
            share = port.share() / weight
            if share < least:
                least = share
        return least

    def to(self, now: float) -> None:
        """What was sent and what came until now."""
        if not self.trickling:
            passed = now - self.updated_s
            self.ready = max(self.ready - self.rate * passed + self.coming * passed, 0.0)
        self.updated_s = now

    def note(self, now: float) -> None:
        for port in self.ports:
            port.note(now)


class Network:
    """Starts transfers and tells when they are through."""

    __slots__ = ("_env", "latency_s")

    def __init__(self, env: Environment, latency_s: float) -> None:
        self._env = env
        self.latency_s = on_grid(latency_s)

    def send(self, row: int, size: float, ports: tuple[Port, ...], arrived: Callable[[float], None]) -> None:
        """Move `size` bytes through both ports after the latency; arrived(now) is called at the end."""
        self.give(Flow(row, ports, arrived), size, last=True)

    def give(self, flow: Flow, size: float, over_s: float = 0.0, pieces: int = 1, last: bool = False) -> None:
        """`size` more bytes to send: made in so many equal pieces, one after the other, from now on over
        `over_s` seconds; by default they are there. Each can flow a latency after it was made.
        """
        flow.size += size
        piece_s = on_grid(over_s / pieces)
        first_s, end_s = self.latency_s + piece_s, self.latency_s + over_s
        if pieces > 1 and first_s < end_s:
            rate = size * (pieces - 1) / pieces / (end_s - first_s)
            self._at(flow, first_s, lambda event: self._comes(flow, rate, 0.0, False))
            size /= pieces
        self._at(flow, end_s, lambda event: self._comes(flow, 0.0, size, last))

    def _at(self, flow: Flow, after_s: float, callback: Callable[[Event], None]) -> Event:
        alarm = Alarm(self._env, callback)
        self._env.schedule(alarm, EventPriority(DELIVER | flow.row), after_s)
        return alarm

    def _comes(self, flow: Flow, coming: float, ready: float, last: bool) -> None:
        """From now on so many bytes a second come, and so many are there at once."""
        now = self._env.now
        flow.to(now)
        flow.note(now)
        flow.coming, flow.last = coming, last
        flow.ready += ready
        for port, weight in zip(flow.ports, flow.weights):
            port.flows[flow] = weight
        self._trickle(flow, flow.ready == 0.0)
        self._share(flow.ports, now, flow)

    def _trickle(self, flow: Flow, whether: bool) -> None:
        if not (whether or flow.trickling):
            return
        flow.trickling = whether
        for port, weight in zip(flow.ports, flow.weights):
            if whether:
                port.trickles[flow] = flow.coming * weight
            else:
                port.trickles.pop(flow, None)

    def _share(self, ports: Iterable[Port], now: float, changed: Flow | None = None) -> None:
        """Who shares these ports has changed: new rates, new ends; for `changed` in any case."""
        flows: dict[Flow, float] = {}
        for port in ports:
            flows |= port.flows
        while slow := [flow for flow in flows if flow.trickling and flow.share() < flow.coming * ENOUGH]:
            for flow in slow:  # it cannot keep up: from now on it always has bytes to send
                flow.to(now)
                flow.note(now)
                self._trickle(flow, False)
                for port in flow.ports:
                    flows |= port.flows
        for flow in flows:
            rate = flow.coming if flow.trickling else flow.share()
            if rate != flow.rate or flow is changed:
                flow.to(now)
                flow.rate = rate
                self._plan(flow)

    def _plan(self, flow: Flow) -> None:
        """When it will have nothing left to send, unless things change."""
        flow.alarm = None
        if flow.rate > flow.coming:
            after_s = on_grid(flow.ready / (flow.rate - flow.coming))
            flow.alarm = self._at(flow, after_s, lambda event: self._drained(flow, event))

    def _drained(self, flow: Flow, event: Event) -> None:
        if event is not flow.alarm:
            return
        now = self._env.now
        flow.note(now)
        flow.ready, flow.updated_s = 0.0, now
        if flow.coming:
            self._trickle(flow, True)
            self._share(flow.ports, now, flow)
            return
        for port, weight in zip(flow.ports, flow.weights):
            del port.flows[flow]
            if flow.last:
                port.moved += flow.size * weight
        flow.rate = 0.0
        self._share(flow.ports, now)
        if flow.last:
            flow.arrived(now)
