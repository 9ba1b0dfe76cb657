"""Which KV cache an engine has: a count of blocks, vLLM's prefix cache, or SGLang's radix tree."""

from __future__ import annotations

from collections.abc import Callable

from simulator.engine.blocks import KVCache
from simulator.engine.prefix import PrefixCache
from simulator.engine.radix import RadixCache
from simulator.engine.request import Request
from simulator.engine.runs import ENDLESS
from simulator.scenario.resolved import EngineArgs

Cache = KVCache | PrefixCache | RadixCache


def cache_of(args: EngineArgs, blocks: int, written: Callable[[Request], int]) -> Cache:
    """A cache of so many usable blocks; written(request): tokens of a decoding one that others can find."""
    if not args.enable_prefix_caching:
        reserved = -(-args.max_model_len // args.block_size) if args.rules.reserves_all else 0
        return KVCache(blocks, args.block_size, reserved)
    if args.rules.caches_when_computed:
        return RadixCache(blocks, args.block_size)
    return PrefixCache(blocks, args.block_size, written, args.rules.unhashed_blocks_first)


def margin_of(args: EngineArgs) -> int:
    """Free blocks that decodes need beside those that they take (V6); none where all is reserved."""
    return -ENDLESS if args.rules.reserves_all else args.rules.spare_blocks
