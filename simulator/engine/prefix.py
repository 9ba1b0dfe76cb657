"""The prefix cache: which blocks hold what, who uses them, and which goes next (R40–R55).

Prompts are sequences of pieces (segment, tokens); two prompts share blocks exactly as far as their pieces
agree. So content is a tree with one Node for each piece after a given path, and the blocks whose last
token lies in that piece belong to the node. Blocks that were registered together and are used by the same
requests move together, as a Run: the cost is that of the pieces and runs touched, not of blocks.

What nobody else can ask for (a request's `own_blocks`, all of them where it shares nothing) is a count. It
gets a node and a run when the request is preempted, since it may find them itself; when it ends they hold
nothing that can be found any more, but keep their place in the free list. Nothing needs to be looked up or
registered for a request that is not `findable`.

The free list of R40 is a count of blocks that hold nothing anyone can find (always at its front) and then
the runs that nobody uses, oldest first; a run gives up its last block first.
"""

from __future__ import annotations

from collections.abc import Callable

from simulator.engine.free_list import append, append_blanks, empty, evict
from simulator.engine.request import Request
from simulator.engine.runs import (
    Node,
    Run,
    enter,
    first_copy,
    fragments,
    last_fragment,
    lead_on,
    output_node,
    prune,
    shared_blocks,
    split,
    unlink,
    writers_ahead,
)


class PrefixCache:
    """KV blocks with prefix caching. Same calls as blocks.KVCache; `free` counts cached blocks that
    nobody uses, too.
    """

    __slots__ = (
        "blank", "blanks_first", "block_tokens", "free", "freed", "root", "total", "twins", "written",
    )  # fmt: skip

    def __init__(
        self, total: int, block_tokens: int, written: Callable[[Request], int], blanks_first: bool = True
    ) -> None:
        """written(request): tokens of a decoding request that can be found by others now; blanks_first:
        freed blocks that hold nothing anyone can find are the next to be used, else they queue with the
        others.
        """
        self.total = total
        self.free = total
        self.blank = total
        self.block_tokens = block_tokens
        self.root = Node(None, (0, 0))
        self.root.visits = 1
        self.written = written
        self.blanks_first = blanks_first
        self.freed = empty()
        self.twins: dict[Node, None] = {}

    # ── what a request finds, takes and gives back ────────────────────────────────────────────────

    def lookup(self, request: Request, known: int) -> int:
        """How many of its first `known` tokens are cached, at most all but one (R50); no effect on the
        cache.
        """
        path = request.path
        if path is None:
            path = enter(self.root, request, self.block_tokens)
        limit = (known - 1) // self.block_tokens
        parts: list[tuple[Run, int, int]] = []
        i = evictable = 0
        for node, end in path:
            if end <= i:
                continue
            if node.writers:
                self._settle(node)
            stop = end if end < limit else limit
            while i < stop:
                found = first_copy(node.runs, i)
                if found is None:
                    stop = limit = i
                    break
                run, to = found
                if to > stop:
                    to = stop
                parts.append((run, i, to))
                if not run.users:
                    evictable += to - i
                i = to
            if i >= limit:
                break
        request.parts = parts
        request.hit_blocks = i
        request.evictable = evictable
        return i * self.block_tokens

    def admit(self, request: Request, tokens: int) -> None:
        """Use the blocks that the last lookup found and take those missing for the first `tokens` tokens
        (R31).
        """
        blocks = -(-tokens // self.block_tokens)
        if not request.findable:
            self.take(blocks)
            return
        held: list[list[Run | int]] = []
        request.held = held
        for part in request.parts:
            held.append([self._use(*part), part[2]])
        request.parts = []
        request.registered = request.hit_blocks
        request.at = 0
        self.take(blocks - request.hit_blocks)

    def take(self, blocks: int) -> None:
        """Take blocks from the front of the free list; what they held can no longer be found."""
        self.free -= blocks
        if blocks <= self.blank:
            self.blank -= blocks
            return
        blocks -= self.blank
        self.blank = 0
        oldest = self.freed.newer
        assert oldest is not None
        if oldest.hi - oldest.lo > blocks:
            oldest.hi -= blocks
        else:
            evict(self.freed, blocks)

    def register(self, request: Request, tokens: int) -> None:
        """The full blocks among its first `tokens` tokens can be found by others from now on (R52)."""
        blocks = tokens // self.block_tokens
        path = request.path
        end = path[-1][1] if path else 0
        if blocks > end:
            request.own_blocks = max(blocks - end, request.own_blocks)
            blocks = end
        if not path or blocks <= request.registered:
            return
        for node, end in path[request.at :]:
            if node.writers:
                self._settle(node, request)
            if end >= blocks:
                break
        self._record(request, blocks)

    def release(self, request: Request, tokens: int, registered: int) -> None:
        """Give back the blocks that hold its `tokens` tokens; of these `registered` tokens can be found
        by others (R40).
        """
        if request.free_step >= 0:  # R52: it was past its prompt, so that was registered
            registered = max(registered, request.target)
        self.register(request, registered)
        if request.own_blocks:
            self._reveal(request)
        self._give_back(request, tokens)

    def finish(self, request: Request, tokens: int, registered: int) -> None:
        """The request has ended: `release`, but what only it could find is found no more; then `forget`."""
        if not request.findable and self.freed.older is self.freed:
            blocks = -(-tokens // self.block_tokens)
            self.free += blocks
            self.blank += blocks
            return
        self.register(request, registered)
        self._give_back(request, tokens)
        if request.path:
            self.forget(request)

    def _reveal(self, request: Request) -> None:
        """What only this request can find gets a node and a run."""
        blocks = shared_blocks(request) + request.own_blocks
        lead_on(request)
        request.findable = True
        request.own_blocks = 0
        request.held = request.held or []
        self._record(request, blocks)

    def _give_back(self, request: Request, tokens: int) -> None:
        held, request.held = request.held or (), None
        own = request.own_blocks
        blanks = -(-tokens // self.block_tokens) - request.registered - own
        self.free += blanks + own
        request.registered = request.own_blocks = 0
        if self.blanks_first:
            self.blank += blanks
        else:
            own += blanks
        if own:
            self.blank += append_blanks(self.freed, own)
        for entry in reversed(held):
            for run in reversed(fragments(entry)):
                run.users -= 1
                if not run.users:
                    self.free += run.hi - run.lo
                    append(self.freed, run)

    def forget(self, request: Request) -> None:
        """The request has ended: nodes that only it kept alive go."""
        path = request.path
        if path is None:
            return
        request.path = None
        for node, _ in reversed(path):
            node.visits -= 1
            prune(node)

    def writes(self, request: Request) -> None:
        """The request starts to decode: what it generates can be found as it grows."""
        node = output_node(request)
        if node:
            node.writers = [*(node.writers or ()), request]
            if len(node.writers) > 1:
                self.twins[node] = None

    def stops_writing(self, request: Request) -> None:
        """The request no longer decodes; call before its `since` is cleared."""
        node = output_node(request)
        if node and node.writers and request in node.writers:
            node.writers.remove(request)
            if len(node.writers) < 2:
                self.twins.pop(node, None)

    def growing(self, request: Request) -> bool:
        """Whether someone now generates content on this request's path, so that its next lookup may find
        more.
        """
        return any(node.writers for node, _ in request.path or ())

    # ── who generates what others may find ────────────────────────────────────────────────────────

    def settle(self, request: Request) -> None:
        """Register what is written of this request's output, before it gets nothing in a step: its pace
        changes, which must not change the order.
        """
        node = output_node(request)
        if node:
            self._settle(node)

    def keep_order(self) -> None:
        """Register what those have written who generate the same piece, where their pace would not tell
        later whose copy came first (R54): after each step of a pipeline, whose lanes have none, and before
        each plan that is made ahead, since of who was left out one token more is known (R53).
        """
        for node in self.twins:
            self._settle(node)

    def _settle(self, node: Node, reader: Request | None = None) -> None:
        """Register what the requests that generate this piece have written by now, but for the reader."""
        for writer in writers_ahead(node, reader):
            blocks = self.written(writer) // self.block_tokens
            if writer is not reader and blocks > writer.registered:
                self._record(writer, blocks)

    def _record(self, request: Request, blocks: int) -> None:
        """Register its first `blocks` blocks, behind all copies that there are."""
        i = request.registered
        path, held, at = request.path, request.held, request.at
        assert path is not None and held is not None
        while i < blocks:
            node, end = path[at]
            if end <= i:
                at += 1
                continue
            to = end if end < blocks else blocks
            last = last_fragment(held[-1]) if held else None
            if last and last.node is node and last.hi == i and last.users == 1 and node.runs[-1] is last:
                last.hi = to
                last.tail = None
                held[-1][1] = to
            else:
                run = Run(node, i, to, 1)
                node.runs.append(run)
                held.append([run, to])
            i = to
        request.registered = blocks
        request.at = at

    def _use(self, run: Run, lo: int, hi: int) -> Run:
        """One more user for blocks lo…hi of a run or of what was split off it; the rest is split off."""
        while run.hi <= lo:
            assert run.tail is not None
            run = run.tail
        if hi < run.hi:
            split(run, hi)
        if lo > run.lo:
            run = split(run, lo)
        if not run.users:
            self.free -= hi - lo
            unlink(run)
        run.users += 1
        return run
