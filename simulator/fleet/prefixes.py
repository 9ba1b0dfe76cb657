"""Which replicas have seen a prefix: a router's own record, as production routers keep one.

A router cannot look into the caches. It remembers where it sent each prompt, by its segments, and forgets
the prefixes that were asked for longest ago (SGLang's router keeps such a tree of texts, NVIDIA Dynamo's
one of block hashes).
"""

from __future__ import annotations

from collections import OrderedDict

from simulator.engine.request import Request

Key = tuple[int, int, int]


class Prefixes:
    """For each prefix, the replicas it was sent to. A prefix is its parent's number, the parent's length,
    a segment.
    """

    __slots__ = ("_limit", "_nodes", "_numbers")

    def __init__(self, limit: int) -> None:
        """limit: most prefixes to remember."""
        self._limit = limit
        self._nodes: OrderedDict[Key, tuple[int, dict[int, int]]] = OrderedDict()
        self._numbers = 0

    def matches(self, request: Request) -> dict[int, int]:
        """Replica → tokens of the request's prompt that it has seen."""
        found: dict[int, int] = {}
        above, before, start = 0, 0, 0
        for segment, tokens in request.pieces:
            node = self._nodes.get((above, before, segment))
            if node is None:
                break
            for replica, most in node[1].items():
                if start == 0 or found.get(replica) == start:
                    found[replica] = start + min(tokens, most)
            above, before = node[0], tokens
            start += tokens
        return found

    def add(self, request: Request, replica: int) -> None:
        """The request was sent to that replica."""
        nodes = self._nodes
        above, before = 0, 0
        for segment, tokens in request.pieces:
            key = (above, before, segment)
            node = nodes.get(key)
            if node is None:
                self._numbers += 1
                node = nodes[key] = (self._numbers, {})
            else:
                nodes.move_to_end(key)
            node[1][replica] = max(node[1].get(replica, 0), tokens)
            above, before = node[0], tokens
        while len(nodes) > self._limit:
            nodes.popitem(last=False)
