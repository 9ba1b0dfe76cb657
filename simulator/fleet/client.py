"""Those who send requests: by the clock, or a think time after their last answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from simpy import Environment
from simpy.events import Event, EventPriority

from simulator.engine.events import DELIVER, Alarm
from simulator.engine.request import Request
from simulator.units import on_grid
from simulator.workload.columns import UNSHARED, Workload

BLOCK = 65_536
Pieces = tuple[tuple[int, int], ...]


class Client:
    """Turns a workload's rows into requests, each at its time, and hands them to `send`.

    One pending arrival at a time, whatever the length of the trace.
    """

    __slots__ = ("_env", "_followers", "_load", "_next", "_opened", "_send", "_sent_s", "_tokens", "sent")

    def __init__(
        self,
        env: Environment,
        load: Workload,
        tokens: int,
        sent_s: NDArray[np.float64],
        send: Callable[[Request, float], None],
    ) -> None:
        """tokens: the most of prompt and answer together; sent_s [n]: filled with when each request was
        sent.
        """
        self._env = env
        self._load = load
        self._tokens = tokens
        self._send = send
        self._sent_s = sent_s
        waits = np.isfinite(load.think_s)
        self._followers = _followers(load, waits) if waits.any() else {}
        sent_s[:] = np.where(waits, np.nan, load.arrival_s)
        self._opened = requests(load, np.flatnonzero(~waits), tokens)
        self._next: Request | None = None
        self.sent = 0
        self._schedule_next(0.0)

    def ended(self, request: Request, now: float) -> None:
        """The session's next turn is sent when its user has read and thought."""
        row = self._followers.get(request.row)
        if row is None:
            return
        follower = next(requests(self._load, np.array([row]), self._tokens))
        follower.arrival_s = now + on_grid(float(self._load.think_s[row]))
        self._sent_s[row] = follower.arrival_s
        alarm = Alarm(self._env, lambda event: self._on_turn(follower))
        self._env.schedule(alarm, EventPriority(DELIVER | row), follower.arrival_s - now)

    def _schedule_next(self, now: float) -> None:
        self._next = request = next(self._opened, None)
        if request is not None:
            alarm = Alarm(self._env, self._on_arrival)
            priority = EventPriority(DELIVER | request.row)
            self._env.schedule(alarm, priority, request.arrival_s - now)

    def _on_arrival(self, event: Event) -> None:
        request = self._next
        assert request is not None
        self._schedule_next(request.arrival_s)
        self.sent += 1
        self._send(request, request.arrival_s)

    def _on_turn(self, request: Request) -> None:
        self.sent += 1
        self._send(request, self._env.now)


def requests(load: Workload, rows: NDArray[np.intp], tokens: int) -> Iterator[Request]:
    """Requests of those rows, in that order; their output ends at `tokens` of prompt and answer together
    (R63).
    """
    whole = len(load.segment_id) > 0
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        prompt = load.prompt_tokens[block]
        known_end = np.minimum(load.max_tokens[block], tokens - prompt)
        output = np.minimum(load.output_tokens[block], known_end)
        answers = load.output_segment[block].tolist()
        columns = (
            block,
            load.arrival_s[block],
            prompt,
            output,
            output == known_end,
            load.priority[block],
            load.session[block],
            load.tenant[block],
            known_end,
        )
        pieces = _pieces(load, block, answers) if whole else [()] * len(block)
        for row, arrival, p, o, foreseen, priority, session, tenant, limit, parts, answer in zip(
            *(column.tolist() for column in columns), pieces, answers
        ):
            request = Request(row, arrival, p, o, foreseen, parts, answer, priority, row, session)
            request.tenant, request.max_tokens = tenant, limit
            yield request


def _pieces(load: Workload, rows: NDArray[np.intp], answers: list[int]) -> list[Pieces]:
    """The prompt of each row as far as another may share it: what follows an unshared segment is shared
    by nobody.
    """
    found: list[Pieces] = []
    first, last = load.segment_offset[rows].tolist(), load.segment_offset[rows + 1].tolist()
    for start, end, answer in zip(first, last, answers):
        ids, lengths = load.segment_id[start:end], load.segment_tokens[start:end]
        keep = lengths > 0
        if not answer:
            private = np.flatnonzero(ids >= UNSHARED)
            if len(private):
                keep[private[0] :] = False
        found.append(tuple(zip(ids[keep].tolist(), lengths[keep].tolist())))
    return found


def _followers(load: Workload, waits: NDArray[np.bool_]) -> dict[int, int]:
    """Row → the row of its session's next turn, where that one waits for this one's answer."""
    order = np.argsort(load.session, kind="stable")
    before, after = order[:-1], order[1:]
    linked = (load.session[before] == load.session[after]) & (load.session[after] >= 0) & waits[after]
    return dict(zip(before[linked].tolist(), after[linked].tolist()))
