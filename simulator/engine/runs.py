"""What the prefix cache is made of: a tree of content, and runs of blocks that hold it."""

from __future__ import annotations

from simulator.engine.request import Request

ENDLESS = 1 << 60


class Node:
    """A piece of content after a path of others: who came through, and which copies of its blocks exist.

    runs: in the order of registration, since the oldest copy of a block is the one that is found (R54);
    writers: requests that now generate this piece as their output; visits: children plus requests whose
    path leads here.
    """

    __slots__ = ("children", "key", "parent", "runs", "visits", "writers")

    def __init__(self, parent: Node | None, key: tuple[int, int]) -> None:
        self.parent = parent
        self.key = key
        self.children: dict[tuple[int, int], Node] | None = None
        self.runs: list[Run] = []
        self.writers: list[Request] | None = None
        self.visits = 0


class Run:
    """Blocks lo ≤ index < hi of a node, `users` requests using each. Linked into the free list when
    nobody does.

    tail: what was split off its end, so that whoever held the whole run still finds all of it.
    """

    __slots__ = ("hi", "lo", "newer", "node", "older", "tail", "used", "users")

    def __init__(self, node: Node | None, lo: int, hi: int, users: int) -> None:
        self.node = node
        self.lo = lo
        self.hi = hi
        self.users = users
        self.used = 0
        self.older: Run | None = None
        self.newer: Run | None = None
        self.tail: Run | None = None


def enter(root: Node, request: Request, block: int) -> list[tuple[Node, int]]:
    """The path of a request: (node, index of the first block past it) for each piece, then for its
    output if others could find it. block: tokens.
    """
    path: list[tuple[Node, int]] = []
    node, before, tokens = root, 0, 0
    for segment, length in request.pieces:
        node = _child(node, (before, segment))
        before = length
        tokens += length
        path.append((node, tokens // block))
    if request.output_segment and request.pieces:
        path.append((_child(node, (before, request.output_segment)), ENDLESS))
    request.path = path
    return path


def shared_blocks(request: Request) -> int:
    """The index of the first block past its path: what follows nobody else can ask for."""
    path = request.path
    return path[-1][1] if path else 0


def lead_on(request: Request) -> list[tuple[Node, int]]:
    """Its path, with a node of its own at the end for what only it can find."""
    path = request.path = request.path or []
    if not path or path[-1][1] < ENDLESS:
        own = Node(None, (0, 0))
        own.visits = 1
        path.append((own, ENDLESS))
    return path


def output_node(request: Request) -> Node | None:
    """The node of what a request generates, if others could find it."""
    return request.path[-1][0] if request.path and request.pieces and request.output_segment else None


def _child(node: Node, key: tuple[int, int]) -> Node:
    """The node of a piece after `node`, made if it is new; one more visit for it."""
    if node.children is None:
        node.children = {}
    child = node.children.get(key)
    if child is None:
        child = node.children[key] = Node(node, key)
        node.visits += 1
    child.visits += 1
    return child


def prune(node: Node) -> None:
    """Drop a node that nobody's path leads through and that holds no block, then those above it likewise."""
    while node.parent and not node.visits and not node.runs:
        parent = node.parent
        assert parent.children is not None
        del parent.children[node.key]
        node.parent = None
        parent.visits -= 1
        node = parent


def split(run: Run, at: int) -> Run:
    """Cut a run in two; returns the upper part. In the free list the upper part goes first, as it would
    have.
    """
    upper = Run(run.node, at, run.hi, run.users)
    upper.tail = run.tail
    run.tail = upper
    run.hi = at
    assert run.node is not None
    runs = run.node.runs
    runs.insert(runs.index(run) + 1, upper)
    if not run.users:
        link(upper, run.older, run)
    return upper


def first_copy(runs: list[Run], i: int) -> tuple[Run, int] | None:
    """The oldest registered copy of block i, and the index up to which it is the oldest."""
    end = ENDLESS
    for run in runs:
        if run.lo > i:
            end = min(end, run.lo)
        elif run.hi > i:
            return run, min(end, run.hi)
    return None


def fragments(entry: list[Run | int]) -> list[Run]:
    """The parts into which what was held as one run has since been split."""
    run, end = entry
    assert isinstance(run, Run) and isinstance(end, int)
    parts = [run]
    while run.hi < end:
        assert run.tail is not None
        run = run.tail
        parts.append(run)
    return parts


def last_fragment(entry: list[Run | int]) -> Run:
    return fragments(entry)[-1]


def link(run: Run, older: Run | None, newer: Run) -> None:
    assert older is not None
    run.older, run.newer = older, newer
    older.newer = newer.older = run


def unlink(run: Run) -> None:
    assert run.older is not None and run.newer is not None
    run.older.newer, run.newer.older = run.newer, run.older
    run.older = run.newer = None


def writers_ahead(node: Node, reader: Request | None) -> list[Request]:
    """Who generates this piece, in the order in which they get anywhere; if the reader does too, those ahead.

    They advance at one pace (in a pipeline: PrefixCache.keep_order), so who is further got everywhere first,
    the older one in the same step.
    """
    writers = node.writers or []
    if len(writers) > 1:
        writers = sorted(writers, key=_lead)
        if reader in writers:
            writers = writers[: writers.index(reader)]
    return writers


def _lead(writer: Request) -> tuple[int, int]:
    """Smaller for who is further in what it generates, and for the older of those as far."""
    return writer.since - writer.target, writer.seq
