"""What must hold of the simulator's scheduler after every step (R99), from its own bookkeeping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from simulator.engine.batch import Batch
from simulator.engine.prefix import PrefixCache
from simulator.engine.request import Request
from simulator.engine.runs import Node, Run, fragments


def broken_invariant(batch: Batch) -> str:
    """The first invariant that does not hold, or nothing."""
    for name, check in CHECKS.items():
        if not check(batch):
            return f"invariant broken: {name}"
    return ""


def holders(batch: Batch) -> list[tuple[Request, int]]:
    """Every request that holds blocks, and of how many tokens."""
    found = [(request, batch.computed(request)) for request in batch.running]
    found += [(request, request.prompt) for request in batch.holding]
    found += [(request, request.computed) for request in batch.sending]
    return found + [(request, tokens) for _, request, tokens, _ in batch.held_back]


def _blocks(batch: Batch, tokens: int) -> int:
    return -(-tokens // batch.args.block_size)


def _blocks_add_up(batch: Batch) -> bool:
    cache = batch.cache
    if not isinstance(cache, PrefixCache):
        return cache.free + sum(_blocks(batch, tokens) for _, tokens in holders(batch)) == cache.total
    own = sum(_blocks(batch, tokens) - request.registered for request, tokens in holders(batch))
    shared = sum(run.hi - run.lo for run in _runs(batch) if run.users)
    return cache.free + own + shared == cache.total and own >= 0


def _free_list_is_whole(batch: Batch) -> bool:
    cache = batch.cache
    if not isinstance(cache, PrefixCache):
        return True
    listed = list(_free_list(cache))
    unused = [run for run in _runs(batch) if not run.users]
    cached = sum(run.hi - run.lo for run in listed)
    return set(map(id, listed)) == set(map(id, unused)) and cache.free == cache.blank + cached


def _users_are_holders(batch: Batch) -> bool:
    uses: Counter[int] = Counter()
    for request, _ in holders(batch):
        for entry in request.held or ():
            uses.update(id(run) for run in fragments(entry))
    return all(run.users == uses[id(run)] for run in _runs(batch))


def _held_is_registered(batch: Batch) -> bool:
    """The runs of a holder are its registered blocks, in order, without holes."""
    for request, _ in holders(batch):
        parts = [run for entry in request.held or () for run in fragments(entry)]
        edges = [(run.lo, run.hi) for run in parts]
        if isinstance(batch.cache, PrefixCache) and not _is_chain(edges, request.registered):
            return False
    return True


def _is_chain(edges: list[tuple[int, int]], end: int) -> bool:
    at = 0
    for lo, hi in edges:
        if lo != at or hi <= lo:
            return False
        at = hi
    return at == end


def _waiting_hold_nothing(batch: Batch) -> bool:
    waiting = batch.waiting.in_order()
    return not any(request.held or request.computed or request.since >= 0 for request in waiting)


def _decoding(batch: Batch) -> list[Request]:
    """Whom the totals count: until step k those of leaves[k], with one plan more for an early end."""
    return [request for leaving in batch.leaves.values() for request in leaving]


def _decoding_are_counted(batch: Batch) -> bool:
    counted = set(_decoding(batch))
    running = {request for request in batch.running if request.since >= 0}
    return running <= counted and len(counted) == batch.decodes == len(_decoding(batch))


def _contexts_add_up(batch: Batch) -> bool:
    return batch.context_sum == sum(batch.computed(request) + 1 for request in _decoding(batch))


def _due_is_right(batch: Batch) -> bool:
    size = batch.args.block_size
    due = [0] * size
    for request in _decoding(batch):
        due[(request.since - request.target) % size] += 1
    return due == batch.due


def _seats_suffice(batch: Batch) -> bool:
    return len(batch.running) <= batch.args.max_num_seqs


def _visits_are_right(batch: Batch) -> bool:
    """A node is visited by its children and by the paths that lead through it; nothing else is kept."""
    cache = batch.cache
    if not isinstance(cache, PrefixCache):
        return True
    paths: Counter[int] = Counter()
    for request in {*batch.everyone(), *(request for request, _ in holders(batch))}:
        paths.update(id(node) for node, _ in request.path or ())
    for node in _tree(cache.root):
        visits = paths[id(node)] + len(node.children or ())
        if node is not cache.root and (node.visits != visits or not (visits or node.runs)):
            return False
    return True


CHECKS = {
    "free + distinct held = usable blocks": _blocks_add_up,
    "the free list holds what nobody uses": _free_list_is_whole,
    "reference counts = holders": _users_are_holders,
    "a holder's runs are its registered blocks": _held_is_registered,
    "who waits holds nothing": _waiting_hold_nothing,
    "who decodes is counted once": _decoding_are_counted,
    "context_sum = sum over those that decode": _contexts_add_up,
    "blocks due = sums over requests": _due_is_right,
    "running within max_num_seqs": _seats_suffice,
    "nodes are kept by visits": _visits_are_right,
}


def _tree(node: Node) -> Iterator[Node]:
    yield node
    for child in (node.children or {}).values():
        yield from _tree(child)


def _free_list(cache: PrefixCache) -> Iterator[Run]:
    run = cache.freed.newer
    while run is not None and run is not cache.freed:
        yield run
        run = run.newer


def _runs(batch: Batch) -> list[Run]:
    """Every run there is: of the tree, and of nodes outside it, known to a holder or the free list."""
    cache = batch.cache
    if not isinstance(cache, PrefixCache):
        return []
    runs = {id(run): run for node in _tree(cache.root) for run in node.runs}
    runs |= {id(run): run for run in _free_list(cache)}
    for request, _ in holders(batch):
        for entry in request.held or ():
            runs |= {id(run): run for run in fragments(entry)}
    return list(runs.values())
