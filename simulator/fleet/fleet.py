"""Pools, routers and what happens to a request between them.

A pool's role says which edges a request takes: `both` serves it whole; `prefill` computes its prompt and
hands it over; `decode` takes it from there. Pulled (rules R80–R88, vLLM's NIXL connector): prefill runs with
one output token and keeps its blocks; the decode side takes blocks for the whole prompt, reads what it does
not hold itself, computes the last prompt token again and makes the first token; then the prefill side's
blocks are free. Pushed (R110–R112): the decode side takes its blocks first, then the prompt is computed, and
its KV is sent when it is done, chunk by chunk or layer by layer. Either way the first token may be the
prefill side's (R113).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulator.engine.desk import Engine, announce
from simulator.engine.request import NEVER, Request
from simulator.engine.step import Step
from simulator.fleet.fanout import Way
from simulator.fleet.link import Flow, Network, Port
from simulator.fleet.pool import Pool, Router
from simulator.fleet.ranks import Ranks, engines


@dataclass(slots=True)
class Hop:
    """A request's way through a prefill replica: when it was handed over, when its KV was read.

    load_tokens: of its KV, those that the decode side lacks; made: tokens of its prompt whose KV flows or was
    there before; flow: the transfer, once the decode side has its blocks.
    """

    replica: Engine
    request: Request
    ended_s: float = NEVER
    load_start_s: float = NEVER
    load_end_s: float = NEVER
    load_tokens: int = 0
    made: int = 0
    flow: Flow | None = None


Ended = Callable[[Engine, Request, Hop | None, float], None]


@dataclass(slots=True)
class Transfer:
    """How KV moves: bytes of a token's KV, the network, each replica's ports by its index, and what passes
    them from one replica to another. push, sends, first_token: as in resolved.TransferSpec; layers: of the
    model.
    """

    bytes_per_token: float
    network: Network
    out: dict[int, Port]
    into: dict[int, Port]
    way: Callable[[Engine, Engine], Way]
    push: bool = False
    sends: str = "prompt"
    first_token: str = "decode"
    layers: int = 1


class Stage:
    """Replicas that one router chooses among. A replica may belong to two stages."""

    __slots__ = ("_places", "_router", "_single", "pool")

    def __init__(self, pool: Pool, router: Router) -> None:
        self.pool = pool
        self._router = router
        self._single = [None if isinstance(target, Ranks) else engines(target)[0] for target in pool.replicas]
        self._places = {
            engine.index: place for place, target in enumerate(pool.replicas) for engine in engines(target)
        }
        if router.changed is None:
            return
        if pool.view_delay_s:
            pool.renewed = self.renewed
        else:
            for target in pool.replicas:
                for engine in engines(target):
                    engine.watchers.append(self.changed)

    def choose(self, request: Request, now: float) -> Engine:
        """The replica that the request goes to; it counts as one of the pool's from now on."""
        place = self._router.choose(request, now)
        self.pool.in_system += 1
        engine = self._single[place]
        if engine is not None:
            return engine
        target = self.pool.replicas[place]
        assert isinstance(target, Ranks)
        return target.choose(request, now)

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
        streams = transfer is not None and transfer.sends != "prompt"
        for replica in replicas:
            replica.begin_load = self._load
            if streams and replica.role == "prefill":
                replica.report_steps(self._computing)

    def send(self, request: Request, now: float) -> None:
        """A request from outside."""
        replica, transfer = self.entry.choose(request, now), self.transfer
        if replica.role != "prefill" or transfer is None:
            replica.submit(request, now)
        elif transfer.first_token != "decode" and request.output == 1:
            replica.submit(request, now)  # R114: nothing is left to decode
        elif transfer.push:
            self._reserve(replica, request, now)
        else:
            replica.submit(request.for_prefill(), now)

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
        """The request's way through prefill, once the decode side knows of it."""
        return self._hops.get(request.row)

    def _reserve(self, replica: Engine, request: Request, now: float) -> None:
        """R110: the prompt waits for the decode side's blocks before it is computed."""
        twin = request.for_prefill()
        announce(replica, twin)
        self._hops[request.row] = Hop(replica, twin)
        self._to_decode(twin, now)

    def _to_decode(self, twin: Request, now: float) -> None:
        assert self.decode is not None and self.transfer is not None
        whole = twin.for_decode(self.transfer.first_token != "decode")
        self.decode.choose(whole, now).submit(whole, now)

    def _hand_over(self, replica: Engine, twin: Request, now: float) -> None:
        """The prompt is computed. R80: its one token is thrown away, unless it is the first (R113)."""
        transfer, whole = self.transfer, twin.whole
        assert transfer is not None and whole is not None
        if transfer.first_token == "prefill":
            whole.first_token_s = whole.last_token_s = now
            whole.emitted = 1
        if not transfer.push:
            self._hops[twin.row] = Hop(replica, twin, now)
            self._to_decode(twin, now)
            return
        hop = self._hops[twin.row]
        hop.ended_s = now
        if transfer.sends == "prompt":
            self._give(hop, hop.load_tokens, now)

    def _load(self, replica: Engine, request: Request, tokens: int, now: float) -> None:
        """R82: the decode side holds blocks for the whole prompt, and wants the `tokens` that it lacks."""
        transfer, hop = self.transfer, self._hops[request.row]
        assert transfer is not None
        hop.load_tokens, hop.made = tokens, request.prompt - tokens
        way = transfer.way(hop.replica, replica)
        ports = (transfer.out[hop.replica.index], transfer.into[replica.index])
        hop.flow = Flow(request.row, ports, lambda end: self._loaded(replica, request, hop, end), way)
        if transfer.push:
            hop.replica.submit(hop.request, now)
        else:
            self._give(hop, tokens, now)

    def _computing(self, step: Step, length_s: float, now: float) -> None:
        """R111, R112: a step has begun, and what it makes of KV flows."""
        transfer = self.transfer
        assert transfer is not None
        pieces = transfer.layers if transfer.sends == "layer" else 1
        for request, (tokens, before) in zip(step.requests, step.chunks):
            hop = self._hops.get(request.row)
            if hop is not None and before + tokens > hop.made:
                self._give(hop, before + tokens - hop.made, now, length_s, pieces)

    def _give(self, hop: Hop, tokens: int, now: float, over_s: float = 0.0, pieces: int = 1) -> None:
        """So many more tokens of KV are there to be sent, or will be within over_s."""
        transfer = self.transfer
        assert transfer is not None and hop.flow is not None
        if not hop.load_start_s <= now:
            hop.load_start_s = now
        hop.made += tokens
        last = hop.made == hop.request.prompt
        transfer.network.give(hop.flow, tokens * transfer.bytes_per_token, over_s, pieces, last)

    def _loaded(self, replica: Engine, request: Request, hop: Hop, now: float) -> None:
        hop.load_end_s, hop.flow = now, None
        replica.deliver(request, now)
        hop.replica.release(hop.request, now)
