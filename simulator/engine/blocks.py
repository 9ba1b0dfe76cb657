"""KV-cache blocks without prefix caching: a count (SPEC R3, R30; with caching off their identity cannot
be seen).
"""

from __future__ import annotations

from simulator.engine.request import Request


class KVCache:
    """Paged KV blocks of one replica. `total` usable ones (the null block is not counted), `free` of them."""

    __slots__ = ("block_tokens", "free", "total")

    def __init__(self, total: int, block_tokens: int) -> None:
        self.total = total
        self.free = total
        self.block_tokens = block_tokens

    def lookup(self, request: Request, known: int) -> int:
        """How many of the `known` tokens are cached: none. Leaves what `admit` needs on the request."""
        return 0

    def admit(self, request: Request, tokens: int) -> None:
        """Take the blocks of the first `tokens` tokens of a request that holds none; the caller has
        checked `free`.
        """
        self.free -= -(-tokens // self.block_tokens)

    def take(self, blocks: int) -> None:
        """Take that many free blocks."""
        self.free -= blocks

    def register(self, request: Request, tokens: int) -> None:
        """The first `tokens` tokens can be found by others from now on: not without prefix caching."""

    def release(self, request: Request, tokens: int, registered: int) -> None:
        """Give back the blocks that hold `tokens` tokens, of which `registered` can be found by others."""
        self.free += -(-tokens // self.block_tokens)

    def forget(self, request: Request) -> None:
        """The request has ended."""

    def writes(self, request: Request) -> None:
        """The request starts to decode."""

    def stops_writing(self, request: Request) -> None:
        """The request no longer decodes."""

    def settle(self, request: Request) -> None:
        """The request gets nothing in this step."""

    def growing(self, request: Request) -> bool:
        """Whether a later lookup could find more though nothing was given back: never without prefix
        caching.
        """
        return False
