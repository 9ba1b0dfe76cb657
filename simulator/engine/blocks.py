"""KV-cache blocks without prefix caching (R3, R30): a count, since their identity cannot be seen."""

from __future__ import annotations

from simulator.engine.request import Request


class KVCache:
    """KV blocks of one replica. `total` usable ones (the null block is not counted), `free` of them.

    reserved: what each request takes when it is admitted, for as long as it stays; 0: as its tokens need.
    """

    __slots__ = ("block_tokens", "free", "reserved", "total")

    def __init__(self, total: int, block_tokens: int, reserved: int = 0) -> None:
        self.total = total
        self.reserved = reserved
        self.free = total
        self.block_tokens = block_tokens

    def lookup(self, request: Request, known: int) -> int:
        """How many of the `known` tokens are cached: none. Leaves what `admit` needs on the request."""
        return 0

    def admit(self, request: Request, tokens: int) -> None:
        """Take the blocks of the first `tokens` tokens of a request that holds none; the caller has
        checked `free`.
        """
        self.free -= self.reserved or -(-tokens // self.block_tokens)

    def take(self, blocks: int) -> None:
        """Take that many free blocks, for what was not reserved."""
        if not self.reserved:
            self.free -= blocks

    def register(self, request: Request, tokens: int) -> None:
        """The first `tokens` tokens can be found by others from now on: not without prefix caching."""

    def release(self, request: Request, tokens: int, registered: int) -> None:
        """Give back the blocks that hold `tokens` tokens, of which `registered` can be found by others."""
        self.free += self.reserved or -(-tokens // self.block_tokens)

    finish = release

    def forget(self, request: Request) -> None:
        """The request has ended."""

    def writes(self, request: Request) -> None:
        """The request starts to decode."""

    def stops_writing(self, request: Request) -> None:
        """The request no longer decodes."""

    def settle(self, request: Request) -> None:
        """The request gets nothing in this step."""

    def keep_order(self) -> None:
        """A step of a pipeline was planned."""

    def growing(self, request: Request) -> bool:
        """Whether a later lookup could find more though nothing was given back: never without prefix
        caching.
        """
        return False
