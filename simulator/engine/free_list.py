"""The free list of the prefix cache (R40): runs that nobody uses, the oldest first, linked around a head.

Blocks that hold nothing anyone can find are a run without a node; those in front of all others are no run
at all but a count (prefix.PrefixCache.blank).
"""

from __future__ import annotations

from simulator.engine.runs import Run, link, prune, unlink


def empty() -> Run:
    """The head of a free list without runs."""
    head = Run(None, 0, 0, 0)
    head.older = head.newer = head
    return head


def append(head: Run, run: Run) -> None:
    """Nobody uses this run any more: it is the newest. What was split off it before is put back to it."""
    newest = head.older
    assert newest is not None and run.node is not None
    if newest is run.tail and newest.lo == run.hi:
        runs = run.node.runs
        i = runs.index(run)
        if i + 1 < len(runs) and runs[i + 1] is newest:
            del runs[i + 1]
            unlink(newest)
            run.hi = newest.hi
            run.tail = newest.tail
    link(run, head.older, head)


def append_blanks(head: Run, blocks: int) -> int:
    """Blocks that hold nothing anyone can find, at the end; returns how many of them are in front of all
    runs, and so not in the list.
    """
    newest = head.older
    if newest is head:
        return blocks
    if newest is not None and newest.node is None:
        newest.hi += blocks
    else:
        link(Run(None, 0, blocks, 0), newest, head)
    return 0


def evict(head: Run, blocks: int) -> None:
    """Take so many from the oldest runs, the last block of each first; what they held is found no more."""
    while blocks:
        run = head.newer
        assert run is not None and run is not head, f"{blocks} blocks taken beyond those free"
        size = run.hi - run.lo
        if size > blocks:
            run.hi -= blocks
            return
        blocks -= size
        run.hi = run.lo
        unlink(run)
        node = run.node
        if node is None:
            continue
        node.runs.remove(run)
        if not node.runs and not node.visits:
            prune(node)
