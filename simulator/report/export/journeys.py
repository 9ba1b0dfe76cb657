"""Each request's way: its parts, the replicas that it ran on, and the lanes that these are drawn on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simulator.report.export.lanes import lanes
from simulator.report.export.source import Source
from simulator.results.parts import PARTS
from simulator.results.record import STATES

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Visit:
    """A stay of requests [n]: which of them, where (replica None: on a link), from when to when, s."""

    name: str
    there: NDArray[np.bool_]
    replica: Ints | None
    start: Floats
    end: Floats
    lane: Ints


@dataclass(frozen=True, slots=True)
class Journeys:
    """Of requests [n]. until: f64[5, n], seconds from sending at which each part begins, and the end; args:
    columns that a reader of the trace sees."""

    number: Ints
    sent: Floats
    state: Ints
    until: Floats
    lane: Ints
    visits: tuple[Visit, ...]
    args: dict[str, NDArray[Any]]

    @property
    def moved(self) -> Ints:
        """Requests whose KV travelled."""
        return np.flatnonzero(np.any([visit.there for visit in self.visits if visit.replica is None], axis=0))

    @property
    def transfer_lane(self) -> Ints:
        return np.concatenate([visit.lane[visit.there] for visit in self.visits if visit.replica is None])

    def slots(self, number: int) -> Ints:
        """The lanes used on a replica."""
        used = [v.lane[v.there & (v.replica == number)] for v in self.visits if v.replica is not None]
        return np.concatenate(used)

    def states(self, rows: Ints) -> pa.Array:
        return pa.array(STATES).take(pa.array(self.state[rows].tolist(), pa.int64()))


def journeys(source: Source) -> Journeys:
    """Of a run's requests; those that the end of the run cut off last until then. Requests that the source's
    window does not touch were never sent.
    """
    state, sent = source.state(), source.column("requests", "sent_s")
    parts = np.stack([source.column("requests", name) for name in PARTS])
    cut = np.isnan(parts).any(axis=0)
    end = _end(source)
    parts[:, cut] = 0.0
    parts[-1, cut] = np.maximum(end - sent[cut], 0.0)
    until = np.concatenate([np.zeros((1, len(sent))), np.cumsum(parts, axis=0)])
    begin, last = source.window
    inside = (sent < last) & (sent + until[-1] > begin)
    sent = np.where(inside, sent, np.nan)
    wanted = ("prompt_tokens", "hit_tokens", "output_tokens", "emitted", "preemptions")
    return Journeys(
        number=source.column("requests", "request").astype(np.int64),
        sent=sent,
        state=state,
        until=until,
        lane=lanes(np.nan_to_num(sent, nan=end), np.nan_to_num(sent + until[-1], nan=end)),
        visits=tuple(replace(visit, there=visit.there & inside) for visit in _visits(source, end)),
        args={name: source.column("requests", name) for name in wanted},
    )


def _end(source: Source) -> float:
    start, width = (source.column("timeline", name) for name in ("start_s", "width_s"))
    return float((start + width).max())


def _visits(source: Source, end: float) -> tuple[Visit, ...]:
    """Prefill and decode on one lane of a replica, as long as one replica does both."""
    first, token, handed, load, loaded, begin, finish = (
        source.column("requests", name)
        for name in (
            *("first_scheduled_s", "first_token_s", "prefill_end_s", "load_start_s", "load_end_s"),
            *("decode_start_s", "finish_s"),
        )
    )
    replica, before = source.replica("requests"), source.replica("requests", "prefill_replica")
    last = np.where(np.isnan(finish), end, finish)
    together = before < 0
    prefilled = np.where(
        together, np.where(np.isnan(token), last, token), np.where(np.isnan(handed), last, handed)
    )
    decoding = np.where(together, token, begin)
    stays = [
        ("prefill", ~np.isnan(first), np.where(together, replica, before), first, prefilled),
        ("decode", ~np.isnan(decoding), replica, decoding, last),
    ]
    lane = _stay_lanes(stays, together, last)
    there = ~np.isnan(load)
    arrived = np.where(np.isnan(loaded), last, loaded)
    moving = np.zeros(len(load), np.int64)
    moving[there] = lanes(load[there], arrived[there])
    prefill, decode = (Visit(*stay, each) for stay, each in zip(stays, lane, strict=True))
    if not there.any():
        return prefill, decode
    return prefill, Visit("transfer", there, None, load, arrived, moving), decode


def _stay_lanes(stays: list[Any], together: NDArray[np.bool_], last: Floats) -> list[Ints]:
    """Lanes on each replica: of what prefills there (to the end, where it decodes there too), and of what was
    handed over to decode there."""
    (_, here, first_replica, first, prefilled), (_, there, replica, decoding, _) = stays
    found = [np.zeros(len(last), np.int64), np.zeros(len(last), np.int64)]
    for number in range(int(max(first_replica.max(initial=-1), replica.max(initial=-1))) + 1):
        own = np.flatnonzero(here & (first_replica == number))
        taken = np.flatnonzero(there & ~together & (replica == number))
        start = np.concatenate([first[own], decoding[taken]])
        until = np.concatenate([np.where(together, last, prefilled)[own], last[taken]])
        each = lanes(start, until)
        found[0][own], found[1][taken] = each[: len(own)], each[len(own) :]
    found[1] = np.where(together, found[0], found[1])
    return found
