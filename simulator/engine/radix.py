"""SGLang's prefix cache: a radix tree of what was computed, evicted leaf by leaf (S10).

The same tree of content as in prefix.py, one Run for a node of the radix tree, but: content is put in after
it was computed; equal content is kept once; what is evicted goes by its last use, a lookup included, and
whole.
Blocks are pages. `free` counts cached pages that nobody uses, too; `blank` those that hold nothing.
"""

from __future__ import annotations

from simulator.engine.request import Request
from simulator.engine.runs import (
    Node,
    Run,
    enter,
    first_copy,
    fragments,
    lead_on,
    link,
    prune,
    split,
    unlink,
)


class RadixCache:
    """Pages of one replica, with the calls of blocks.KVCache. `idle`: runs nobody uses, by last use."""

    __slots__ = ("blank", "block_tokens", "clock", "free", "idle", "root", "total")

    def __init__(self, total: int, block_tokens: int) -> None:
        self.total = self.free = self.blank = total
        self.block_tokens = block_tokens
        self.clock = 0
        self.root = Node(None, (0, 0))
        self.root.visits = 1
        self.idle = Run(None, 0, 0, 0)
        self.idle.older = self.idle.newer = self.idle

    def lookup(self, request: Request, known: int) -> int:
        """How many of its first `known` tokens are cached, at most all but one; they count as used now."""
        path = request.path
        if path is None:
            enter(self.root, request, self.block_tokens)
            path = lead_on(request)
        limit = (known - 1) // self.block_tokens
        request.parts = []
        i = 0
        for node, end in path:
            while i < min(end, limit):
                found = first_copy(node.runs, i)
                if found is None:
                    limit = i
                    break
                to = min(found[1], end, limit)
                request.parts.append((found[0], i, to))
                i = to
        request.hit_blocks = i
        request.evictable = sum(hi - lo for run, lo, hi in request.parts if not run.users)
        self._touch([run for run, _, _ in request.parts])
        return i * self.block_tokens

    def admit(self, request: Request, tokens: int) -> None:
        """Use the pages that the last lookup found and take those missing for the first `tokens` tokens."""
        request.held = [[self._use(*part), part[2]] for part in request.parts]
        request.parts = []
        request.registered = request.hit_blocks
        request.at = 0
        self.take(-(-tokens // self.block_tokens) - request.hit_blocks)

    def take(self, blocks: int) -> None:
        """Take pages; leaves that nobody uses are evicted for them, the longest unused first."""
        self.reclaim(blocks)
        self.free -= blocks
        self.blank -= blocks
        assert self.blank >= 0, f"{-self.blank} pages taken beyond those free"

    def reclaim(self, blocks: int) -> None:
        """Evict until so many pages are blank, or nothing is left to evict."""
        while self.blank < blocks and self.idle.newer is not self.idle:
            run = self.idle.newer
            assert run is not None and run.node is not None
            self.blank += run.hi - run.lo
            run.hi = run.lo
            unlink(run)
            run.node.runs.remove(run)
            prune(run.node)

    def insert(self, request: Request, tokens: int) -> None:
        """Its first `tokens` tokens are computed: full pages can be found; those there before are dropped."""
        blocks = tokens // self.block_tokens
        held, path, i = request.held, request.path, request.registered
        if held is None or path is None or blocks <= i:
            return
        for node, end in path:
            while i < min(end, blocks):
                found = first_copy(node.runs, i)
                to = min(found[1] if found else end, end, blocks)
                if found:
                    held.append([self._use(found[0], i, to), to])
                    self.free += to - i
                    self.blank += to - i
                else:
                    run = Run(node, i, to, 1)
                    node.runs.append(run)
                    held.append([run, to])
                i = to
        request.registered = blocks
        self._touch([run for entry in held for run in fragments(entry)])

    def release(self, request: Request, tokens: int, registered: int) -> None:
        """Give back the pages of its `tokens` tokens; the first `registered` of them can be found."""
        self.insert(request, registered)
        held = request.held
        assert held is not None
        request.held = None
        unseen = -(-tokens // self.block_tokens) - request.registered
        self.free += unseen
        self.blank += unseen
        request.registered = 0
        for entry in reversed(held):
            for run in reversed(fragments(entry)):
                run.users -= 1
                if not run.users:
                    self.free += run.hi - run.lo
                    self._place(run)

    def forget(self, request: Request) -> None:
        """The request has ended: nodes that only it kept alive go."""
        for node, _ in reversed(request.path or ()):
            node.visits -= 1
            prune(node)
        request.path = None

    def finish(self, request: Request, tokens: int, registered: int) -> None:
        """The request has ended: `release`, then `forget`."""
        self.release(request, tokens, registered)
        self.forget(request)

    def register(self, request: Request, tokens: int) -> None:
        """Nothing can be found before it was computed: `insert` is called then."""

    def writes(self, request: Request) -> None:
        """The request starts to decode; nothing of it is seen before its end."""

    def stops_writing(self, request: Request) -> None:
        """The request no longer decodes."""

    def settle(self, request: Request) -> None:
        """The request gets nothing in this step."""

    def keep_order(self) -> None:
        """A step of a pipeline was planned."""

    def growing(self, request: Request) -> bool:
        """Whether a later lookup could find more though nobody ended: the planner knows (S6)."""
        return False

    def _use(self, run: Run, lo: int, hi: int) -> Run:
        """One more user for pages lo…hi of a run or of what was split off it; the rest is split off."""
        while run.hi <= lo:
            assert run.tail is not None
            run = run.tail
        if hi < run.hi:
            self._split(run, hi)
        if lo > run.lo:
            run = self._split(run, lo)
        if not run.users:
            self.free -= hi - lo
            unlink(run)
        run.users += 1
        return run

    def _split(self, run: Run, at: int) -> Run:
        upper = split(run, at)
        upper.used = run.used
        return upper

    def _touch(self, runs: list[Run]) -> None:
        """They were used now, the deeper before those above, so that leaves go first."""
        self.clock += 1
        for run in reversed(runs):
            run.used = self.clock
            if not run.users:
                unlink(run)
                link(run, self.idle.older, self.idle)

    def _place(self, run: Run) -> None:
        """Among the idle, by its last use; equal ones after those below it."""
        after = self.idle.older
        assert after is not None
        while after is not self.idle and after.used > run.used:
            assert after.older is not None
            after = after.older
        assert after.newer is not None
        link(run, after, after.newer)
