"""Blocks of KV cache one by one: an ordered free list and a prefix cache keyed by the tokens themselves."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class Block:
    """One block: who holds it, and which content it is registered under (None: not registered)."""

    number: int
    holders: int = 0
    key: int | None = None


@dataclass(slots=True)
class Pool:
    """All blocks of one engine but the null block, which is never handed out (R3, R41)."""

    size: int
    caching: bool
    free: OrderedDict[Block, None]
    registered: dict[int, list[Block]] = field(default_factory=dict)
    contents: dict[tuple[int, tuple[int, ...]], int] = field(default_factory=dict)


def new_pool(size: int, num_blocks: int, caching: bool) -> Pool:
    """A pool of `num_blocks` − 1 usable blocks of `size` tokens, all free in order of their numbers."""
    return Pool(size, caching, OrderedDict((Block(number), None) for number in range(1, num_blocks)))


def content_keys(pool: Pool, tokens: Sequence[int], keys: list[int], count: int) -> list[int]:
    """Extend `keys` to those of the first `count` blocks of `tokens`; equal keys: equal prefixes (R50)."""
    for index in range(len(keys), count):
        own = tuple(tokens[index * pool.size : (index + 1) * pool.size])
        content = (keys[index - 1] if index else -1, own)
        keys.append(pool.contents.setdefault(content, len(pool.contents)))
    return keys


def find(pool: Pool, keys: Sequence[int]) -> list[Block]:
    """The longest registered run of blocks from the first key on; of duplicates the first (R54)."""
    found: list[Block] = []
    for key in keys:
        if key not in pool.registered:
            break
        found.append(pool.registered[key][0])
    return found


def hold(pool: Pool, blocks: Sequence[Block]) -> None:
    """Take hit blocks: those that lie in the free list leave it (R31)."""
    for block in blocks:
        pool.free.pop(block, None)
        block.holders += 1


def take(pool: Pool, count: int) -> list[Block]:
    """Pop `count` blocks from the front of the free list; each forgets what it was registered as (R31)."""
    return [_evicted(pool, pool.free.popitem(last=False)[0]) for _ in range(count)]


def _evicted(pool: Pool, block: Block) -> Block:
    if block.key is not None:
        peers = pool.registered[block.key]
        peers.remove(block)
        if not peers:
            del pool.registered[block.key]
    block.key, block.holders = None, 1
    return block


def register(pool: Pool, blocks: Sequence[Block], keys: Sequence[int]) -> None:
    """Register full blocks under their contents, behind any duplicates (R52, R54)."""
    for block, key in zip(blocks, keys, strict=True):
        block.key = key
        pool.registered.setdefault(key, []).append(block)


def let_go(pool: Pool, blocks: Sequence[Block]) -> None:
    """Free a request's blocks, last first: unregistered ones to the front, registered to the end (R40)."""
    plain: list[Block] = []
    for block in reversed(blocks):
        block.holders -= 1
        if block.holders == 0 and block.key is None:
            plain.append(block)
        elif block.holders == 0:
            pool.free[block] = None
    for block in reversed(plain):
        pool.free[block] = None
        pool.free.move_to_end(block, last=False)
