"""What one engine holds: its queues, and totals over those that decode (R1–R3).

Every decoding request advances one token a step, so nothing of a single one need be touched: `context_sum`
grows by `decodes`, ends are kept by step number, and `due[k % block]` says how many need a block in step k.
Rules (R1 …) are those of docs/engine.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappush
from typing import TYPE_CHECKING

from simulator.engine import lanes
from simulator.engine.caches import cache_of, margin_of
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
    lane: of a pipeline, the one whose turn it is, whose totals and `step` these are (engine/lanes.py); None:
    one batch is in flight at a time. numbers: how many of a pipeline's steps were planned.
    """

    __slots__ = (
        "admission",
        "admissions",
        "args",
        "cache",
        "capacity_bound",
        "changes",
        "completed",
        "context_sum",
        "decodes",
        "due",
        "executed",
        "frees",
        "held_back",
        "holding",
        "host_free",
        "keeps_written",
        "lane",
        "last_prefill",
        "leaves",
        "loads",
        "lone",
        "margin",
        "newest_decode",
        "now_s",
        "numbers",
        "policy",
        "prefilling",
        "ready",
        "running",
        "scanned",
        "sending",
        "stale",
        "step",
        "swapped",
        "waiting",
        "watermark",
    )

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
        self.lane: lanes.Lane | None = None
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
            unknown = self.args.async_scheduling and lanes.in_flight(self, request)
            return self.computed(request) - unknown
        ahead = not self.args.async_scheduling or request.skipped == self.step - 1
        return request.target + self.step - request.since + ahead - (request.seq > self.scanned)

    def in_flight(self, request: Request) -> bool:
        """Whether the batch planned before this one, if its outputs are still to come, holds this running
        request.
        """
        if self.lane is not None:
            return lanes.in_flight(self, request)
        before = self.step - 1
        if not self.args.async_scheduling:
            return False
        if request.since >= 0:
            return request.skipped != before
        return request.in_flight == before or request.free_step == before

    def may_go_on(self, request: Request) -> bool:
        """Whether a prompt under way may have its next chunk: the one before may be in flight (R75)."""
        return self.args.rules.chunks_in_flight or request.in_flight <= self.completed

    # ── changes of state ──────────────────────────────────────────────────────────────────────────

    def join(self, request: Request, since: int) -> None:
        """Its last prompt chunk is in step since − 1: from step `since` on it decodes, until its known
        end.
        """
        left = request.output - request.emitted
        end = since - 2 + left
        request.since = since
        if self.lane is not None:
            request.lane, request.skipped = self.lane, -1
        request.free_step = end
        self._free_at(end, request)
        leave = end + 1 if request.foreseen or not self.args.async_scheduling else end + 2
        request.leave_step = leave
        if leave <= since:
            self._finishing(request)
            return
        self._leave_at(leave, request)
        self.decodes += 1
        self.context_sum += request.target + 1
        self.due[(since - request.target) % self.args.block_size] += 1
        if request.seq > self.newest_decode:
            self.newest_decode = request.seq
        if request.output_segment:
            self.cache.writes(request)

    def leave(self, step: int) -> None:
        """Those whose last token was scheduled leave the totals (R12); they hold slot and blocks until it
        is made.

        One that a stop token has ended is still in the totals of the step planned before that was known
        (R72).
        """
        for request in self.leaves.pop(step):
            self._uncount(request)
            if request in self.running:
                self._finishing(request)
        if not self.decodes:
            self.newest_decode = -1

    def drop_out(self, request: Request) -> None:
        """It has ended by a stop token, and no step that still counts it was planned."""
        self.leaves[request.leave_step].remove(request)
        self._uncount(request)
        self._finishing(request)

    def _finishing(self, request: Request) -> None:
        self.stop_writing(request)
        request.computed = self.computed(request)
        request.since = -1
        request.leave_step = -1

    def stop_writing(self, request: Request) -> None:
        """Others no longer see what it generates grow; what it has written stays."""
        if request.output_segment and request.since >= 0:
            self.cache.register(request, self.written(request))
            self.cache.stops_writing(request)

    def _uncount(self, request: Request) -> None:
        computed = request.target + self.step - request.since
        self.decodes -= 1
        self.context_sum -= computed + 1
        self.due[(request.since - request.target) % self.args.block_size] -= 1

    def leave_out(self, request: Request) -> None:
        """A decoding request that got nothing in this step: everything of it comes one step later."""
        if request.free_step < self.step:
            self.drop_out(request)
            return
        self.cache.settle(request)
        block = self.args.block_size
        self.due[(request.since - request.target) % block] -= 1
        request.skipped = self.step
        request.since += 1
        self.due[(request.since - request.target) % block] += 1
        self.leaves[request.leave_step].remove(request)
        self.frees[request.free_step].remove(request)
        request.leave_step += 1
        request.free_step += 1
        self._leave_at(request.leave_step, request)
        self._free_at(request.free_step, request)

    def take_out(self, request: Request) -> None:
        """A decoding request leaves these totals for those of another lane."""
        self.leaves[request.leave_step].remove(request)
        self.frees[request.free_step].remove(request)
        self._uncount(request)

    def put_in(self, request: Request, leave_step: int, free_step: int) -> None:
        """It joins these totals, with `since` set for them."""
        request.leave_step, request.free_step = leave_step, free_step
        self._leave_at(leave_step, request)
        self._free_at(free_step, request)
        self.decodes += 1
        self.context_sum += self.computed(request) + 1
        self.due[(request.since - request.target) % self.args.block_size] += 1
        self.newest_decode = max(self.newest_decode, request.seq)

    def preempt(self, request: Request, scheduled: bool) -> None:
        """R16: its blocks are freed, what it computed is lost, it waits again (in front, where the policy
        says so).

        scheduled: it had already got its token in the step being planned, which is undone (R15).
        """
        if request.lane is not self.lane and request.free_step >= 0:
            lanes.preempt(self, request)
            return
        pending = self.in_flight(request)
        unknown = pending and self.args.async_scheduling
        held = known = computed = self.computed(request)
        if request.since >= 0:
            held += scheduled
            known = computed if pending and request.since == self.step else computed + scheduled - unknown
            self.stop_decoding(request, pending)
        elif request.free_step >= 0:
            known = computed - unknown
            self._stop(request, request.output, pending)
        else:
            self.prefilling.remove(request)
            held = request.target if self.args.rules.takes_whole_prompts else computed
        self.cache.release(request, held, known)
        request.computed = 0
        request.since = request.free_step = -1
        request.preemptions += 1
        del self.running[request]
        self.waiting.put_back(request)

    def stop_decoding(self, request: Request, pending: bool) -> None:
        """Out of the totals before its end; pending: a token of it is in flight."""
        sampled = self.computed(request) - request.prompt + 1
        self.leaves[request.leave_step].remove(request)
        self._uncount(request)
        self.stop_writing(request)
        self._stop(request, sampled, pending)

    def _stop(self, request: Request, sampled: int, pending: bool) -> None:
        self.frees[request.free_step].remove(request)
        request.emitted = sampled - pending
        if pending:
            request.in_flight = self.step - 1 if self.lane is None else self.lane.number
            self.stale.append(request)

    def _leave_at(self, step: int, request: Request) -> None:
        if step in self.leaves:
            self.leaves[step].append(request)
        else:
            self.leaves[step] = [request]
            heappush(self.changes, step)

    def _free_at(self, step: int, request: Request) -> None:
        if step in self.frees:
            self.frees[step].append(request)
        else:
            self.frees[step] = [request]
            heappush(self.changes, step + 1)

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
