"""What one engine holds: its queues, and totals over those that decode (R1–R3).

Every decoding request advances one token a step, so nothing of a single one need be touched: `context_sum`
grows by `decodes`, ends are kept by step number, and `due[k % block]` says how many need a block in step k.
Rules (R1 …) are those of docs/engine.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simulator.engine.caches import cache_of, margin_of
from simulator.engine.lane import Lane
from simulator.engine.policies import Policy
from simulator.engine.queue import waiting_queue
from simulator.engine.request import Request
from simulator.engine.step import Step
from simulator.scenario.resolved import EngineArgs

if TYPE_CHECKING:
    from simulator.engine.admission import Admission


class Batch:
    """The scheduler's state before the plan of step `step`.

    leaves[k]: requests that are not in the decode totals from step k on; frees[k]: those whose last token
    step k makes, so that slot and blocks return at its end; changes: heap of the steps before which
    either happens. stale: preempted ones whose token is still in flight (R73); held_back: blocks of freed
    requests that a batch in flight may still write (R89). holding: those whose KV is loaded from
    elsewhere, in the order of their start (R2), ready: those of them whose load is through. scanned:
    `seq` up to which those running have had their turn in the plan being made: −1 between plans, ENDLESS
    in the waiting part. swapped: those whose KV is on the host, with `host_free` blocks left there (V8);
    lone: the last step planned without decodes, until its outputs are seen; now_s: the time of the plan.
    lane: of a pipeline, the one whose turn it is, whose totals and `step` these are (engine/lane.py); None:
    one batch is in flight at a time. numbers: how many of a pipeline's steps were planned.
    """

    __slots__ = (
        "admission", "admissions", "args", "cache", "capacity_bound", "changes", "completed", "context_sum",
        "decodes", "due", "executed", "frees", "held_back", "holding", "host_free", "keeps_written", "lane",
        "last_prefill", "leaves", "loads", "lone", "margin", "newest_decode", "now_s", "numbers", "policy",
        "prefilling", "ready", "running", "scanned", "sending", "stale", "step", "swapped", "waiting",
        "watermark",
    )  # fmt: skip

    def __init__(
        self, args: EngineArgs, blocks: int, policy: Policy, connector: bool = False, ahead: bool = False
    ) -> None:
        """blocks: usable KV blocks, without the null block (R3); connector: to other engines (R89); ahead:
        steps are planned while others are in flight, as with asynchronous scheduling.
        """
        self.args = args
        self.policy = policy
        self.watermark = int(args.watermark * (blocks + 1))
        self.keeps_written = connector and (ahead or args.async_scheduling)
        self.step = 0
        self.completed = -1
        self.now_s = 0.0
        self.waiting = waiting_queue(policy, self)
        self.holding: dict[Request, None] = {}
        self.ready: list[Request] = []
        self.loads = 0
        self.running: dict[Request, None] = {}
        self.prefilling: list[Request] = []
        self.decodes = 0
        self.context_sum = 0
        self.due = [0] * args.block_size
        self.leaves: dict[int, list[Request]] = {}
        self.frees: dict[int, list[Request]] = {}
        self.changes: list[int] = []
        self.stale: list[Request] = []
        self.admissions = 0
        self.newest_decode = -1
        self.executed = 0
        self.last_prefill = -(1 << 60)
        self.capacity_bound = False
        self.held_back: list[tuple[int, Request, int, int]] = []
        self.sending: list[Request] = []
        self.scanned = -1
        self.swapped: list[Request] = []
        self.host_free = 0
        self.margin = margin_of(args)
        self.admission: Admission | None = None
        self.lone: Step | None = None
        self.lane: Lane | None = None
        self.numbers = 0
        self.cache = cache_of(args, blocks, self.written)

    def computed(self, request: Request) -> int:
        """Tokens computed or scheduled before the next plan (R1)."""
        return request.computed if request.since < 0 else request.target + self.age(request)

    def age(self, request: Request) -> int:
        """Steps of a decoding request since it began to decode; of its own lane, in a pipeline."""
        lane = request.lane
        return (self.step if lane is self.lane or lane is None else lane.step) - request.since

    def generated(self, request: Request) -> int:
        """Its output tokens, those scheduled but not made yet included."""
        if request.since >= 0:
            return min(request.target + self.age(request) - request.prompt + 1, request.output)
        return request.output if request.free_step >= 0 else request.emitted

    def written(self, request: Request) -> int:
        """Tokens of a decoding request that others can find by now.

        Registration is at allocation, when its turn comes in a plan, but of known tokens only: with async
        scheduling that is one less (R52, R53).
        """
        if request.lane is not self.lane:
            unknown = self.args.async_scheduling and self._in_a_lane(request)
            return self.computed(request) - unknown
        ahead = not self.args.async_scheduling or request.skipped == self.step - 1
        return request.target + self.step - request.since + ahead - (request.seq > self.scanned)

    def in_flight(self, request: Request) -> bool:
        """Whether the batch planned before this one, if its outputs are still to come, holds this running
        request.
        """
        if self.lane is not None:
            return self._in_a_lane(request)
        before = self.step - 1
        if not self.args.async_scheduling:
            return False
        if request.since >= 0:
            return request.skipped != before
        return request.in_flight == before or request.free_step == before

    def _in_a_lane(self, request: Request) -> bool:
        """The same in a pipeline: whether one of the batches in flight holds it."""
        lane = request.lane
        if lane is not None and request.since >= 0:
            last = self.clock(lane) - 1
            return last > lane.done and request.skipped != last
        if lane is not None and request.free_step >= 0:
            return request.free_step > lane.done
        return request.in_flight > self.completed

    def clock(self, lane: Lane) -> int:
        """The next step of a lane."""
        return self.step if lane is self.lane else lane.step

    def may_go_on(self, request: Request) -> bool:
        """Whether a prompt under way may have its next chunk: the one before may be in flight (R75)."""
        return self.args.rules.chunks_in_flight or request.in_flight <= self.completed

    def vacant(self) -> bool:
        """Whether nobody wants a token in the next step: all that run, if any, wait for their last one."""
        return not (self.decodes or self.waiting or self.prefilling or self.ready or self.swapped)

    def full(self) -> bool:
        """Whether no slot is left for another request (R18)."""
        return len(self.running) >= (self.args.max_num_active_seqs or self.args.max_num_seqs)

    def blocked(self) -> bool:
        """Whether the queue, which the last plan left waiting, stays so while nobody ends."""
        if self.full():
            return True
        if self.admission is not None:
            return self.admission.shut
        if self.policy.rank is not None:
            return False
        return self.args.prefill_schedule_interval == 1 and not self.cache.growing(self.waiting.head())

    def in_order(self, requests: list[Request]) -> list[Request]:
        """In the order of the batch (R23)."""
        return sorted(requests, key=lambda request: request.seq) if len(requests) > 1 else requests

    def everyone(self) -> Iterator[Request]:
        """All who are in the system."""
        yield from self.running
        yield from self.holding
        yield from self.swapped
        yield from self.waiting.in_order()
