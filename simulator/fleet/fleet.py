"""Pools, routers and what happens to a request between them.

A pool's role says which edges a request takes: `both` serves it whole; `prefill` computes its prompt and
hands it over; `decode` takes it from there. The hand-over is that of vLLM's NIXL connector in pull mode
(rules R80–R88): prefill runs with one output token and keeps its blocks; the decode side takes blocks for
the whole prompt, reads what it does not hold itself, computes the last prompt token again and makes the
first token; then the prefill side's blocks are free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulator.engine.desk import Engine
from simulator.engine.request import NEVER, Request
from simulator.fleet.link import Network, Port
from simulator.fleet.pool import Pool, Router


@dataclass(slots=True)
class Hop:
    """A request's way through a prefill replica: when it was handed over, when its KV was read."""

    replica: Engine
    request: Request
    ended_s: float
    load_start_s: float = NEVER
    load_end_s: float = NEVER
    load_tokens: int = 0


Ended = Callable[[Engine, Request, Hop | None, float], None]


@dataclass(slots=True)
class Transfer:
    """How KV moves: bytes of a token's KV, the network, and each replica's ports by its index."""

    bytes_per_token: float
    network: Network
    out: dict[int, Port]
    into: dict[int, Port]


class Stage:
    """Replicas that one router chooses among. A replica may belong to two stages."""

    __slots__ = ("_places", "_router", "pool")

    def __init__(self, pool: Pool, router: Router) -> None:
        self.pool = pool
        self._router = router
        self._places = {replica.index: place for place, replica in enumerate(pool.replicas)}
        if router.changed is None:
            return
        if pool.view_delay_s:
            pool.renewed = self.renewed
        else:
            for replica in pool.replicas:
                replica.watchers.append(self.changed)

    def submit(self, request: Request, now: float) -> None:
        replica = self.pool.replicas[self._router.choose(request, now)]
        self.pool.in_system += 1
        replica.submit(request.for_prefill() if replica.role == "prefill" else request, now)

    def left(self, replica: Engine) -> None:
        """A request has left that replica."""
        self.pool.in_system -= 1

    def renewed(self) -> None:
        """The router sees new loads of all replicas."""
        assert self._router.changed is not None
        for place in range(len(self.pool)):
            self._router.changed(place)

    def changed(self, index: int) -> None:
        """The load of replica `index` may have fallen."""
        assert self._router.changed is not None
        self._router.changed(self._places[index])


class Fleet:
    """Takes requests, hands them from prefill to decode, tells of their ends."""

    __slots__ = ("_ended", "_hops", "decode", "entry", "replicas", "transfer")

    def __init__(
        self,
        replicas: list[Engine],
        entry: Stage,
        decode: Stage | None,
        transfer: Transfer | None,
        ended: Ended,
    ) -> None:
        """entry: takes requests from outside; decode: takes them from prefill; ended: is told of each end."""
        self.replicas = replicas
        self.entry = entry
        self.decode = decode
        self.transfer = transfer
        self._ended = ended
        self._hops: dict[int, Hop] = {}
        for replica in replicas:
            replica.begin_load = self._load

    def send(self, request: Request, now: float) -> None:
        """A request from outside."""
        self.entry.submit(request, now)

    def ended(self, replica: Engine, request: Request, now: float) -> None:
        """A replica has made the last token that it was asked for."""
        if request.sends:
            self.entry.left(replica)
            self._hand_over(replica, request, now)
            return
        hop = self._hops.pop(request.row, None)
        stage = self.entry if hop is None else self.decode
        assert stage is not None
        stage.left(replica)
        self._ended(replica, request, hop, now)

    def hop(self, request: Request) -> Hop | None:
        """The request's way through prefill, once it is past it."""
        return self._hops.get(request.row)

    def _hand_over(self, replica: Engine, request: Request, now: float) -> None:
        """R80: its one token is thrown away, the same prompt goes to the decode side."""
        assert self.decode is not None
        self._hops[request.row] = Hop(replica, request, now)
        self.decode.submit(request.for_decode(), now)

    def _load(self, replica: Engine, request: Request, tokens: int, now: float) -> None:
        """R82: the decode side holds blocks for the whole prompt, and reads the `tokens` that it lacks."""
        transfer, hop = self.transfer, self._hops[request.row]
        assert transfer is not None
        hop.load_start_s = now
        hop.load_tokens = tokens
        ports = (transfer.out[hop.replica.index], transfer.into[replica.index])
        size = tokens * transfer.bytes_per_token
        transfer.network.send(request.row, size, ports, lambda end: self._loaded(replica, request, hop, end))

    def _loaded(self, replica: Engine, request: Request, hop: Hop, now: float) -> None:
        hop.load_end_s = now
        replica.deliver(request, now)
        hop.replica.release(hop.request, now)
