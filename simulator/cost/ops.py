"""Each operation's FLOPs, bytes and serial length as a function of what it works on, on one rank.

F counts a multiply-add as 2; B is what must cross the memory bus at least once; `lead` is the L of the fit's
tail: what a kernel walks through one after another. cost/efficiency.py prices F, B and L.
"""

from __future__ import annotations

from typing import NamedTuple

from simulator.cost.shape import Heads

ACTIVATION = 2.0  # bytes of an activation between kernels: bf16
INDEX_SCALE = 4.0  # bytes of the scale of an indexer's key
MLA_QK, MLA_V, MLA_LATENT, MLA_ROPE = 192, 128, 512, 64  # sizes that MLA kernels were measured with


class Op(NamedTuple):
    """One kernel call on one rank. kind: the op of the fits; lead: L, in units of that kind.

    shape, by kind: gemm (m, n, k); attention and MLA (sequences, tokens or keys each, query heads, KV heads,
    head size, bytes of a cached element, window, cached tokens before the chunk); moe (tokens, hidden, width
    on this rank, experts a token, experts, tensor ranks, expert ranks, exponent of a skewed routing or 0).
    """

    kind: str
    name: str
    flops: float
    bytes: float
    lead: float
    shape: tuple[float, ...] = ()


class Experts(NamedTuple):
    """Routed experts: hidden size, width of one on this rank, how many in all, how many a token takes, the
    ranks that share one and those over which they are spread, matrices of one (3 if gated, else 2)."""

    hidden: int
    width: int
    total: int
    per_token: int
    tp: int
    ep: int
    matrices: int = 3


def gemm(name: str, m: float, shape: tuple[int, int], weight: float, activation: float) -> Op:
    """m × k times k × n, shape: (n, k); weight, activation: bytes an element. L: thousands of k."""
    n, k = shape
    moved = n * k * weight + m * k * activation + ACTIVATION * m * n
    return Op("gemm", name, 2.0 * m * n * k, moved, k / 1000.0, (m, n, k))


def pairs(tokens: float, context: float, window: int = 0) -> float:
    """Query-key pairs of a causal chunk of `tokens` after `context` tokens; a query sees `window` keys at
    most."""
    if not window or context + tokens <= window:
        return tokens * context + tokens * (tokens + 1) / 2.0
    growing = max(0.0, window - context)  # queries that still see fewer keys than the window
    return growing * context + growing * (growing + 1) / 2.0 + (tokens - growing) * window


def _in_window(tokens: float, context: float, window: int) -> tuple[float, float]:
    """Cached keys that a chunk sees, and keys in its reach."""
    if not window:
        return context, context + tokens
    return min(context, window), min(context + tokens, window)


def attention_prefill(tokens: float, context: float, heads: Heads, kv_bytes: float) -> Op:
    """One chunk of one sequence. kv_bytes: of an element of the cache. L: thousands of keys in reach."""
    dims, window = heads.qk_dim + heads.v_dim, heads.window
    seen, reach = _in_window(tokens, context, window)
    flops = 2.0 * heads.query * dims * pairs(tokens, context, window)
    moved = tokens * ACTIVATION * (heads.query + heads.kv) * dims + seen * heads.kv * dims * kv_bytes
    shape = (1, tokens, heads.query, heads.kv, heads.qk_dim, kv_bytes, window, context)
    return Op("attention_prefill", "attention_prefill", flops, moved, reach / 1000.0, shape)


def attention_decode(sequences: float, keys: float, heads: Heads, kv_bytes: float, sms: int) -> Op:
    """A batch of one token each over `keys` keys in all. L: blocks (one a sequence and KV head) per
    multiprocessor."""
    dims = heads.qk_dim + heads.v_dim
    if heads.window:
        keys = min(keys, sequences * heads.window)
    flops = 2.0 * heads.query * dims * keys
    moved = keys * heads.kv * dims * kv_bytes + sequences * ACTIVATION * heads.query * dims
    shape = (sequences, keys / sequences, heads.query, heads.kv, heads.qk_dim, kv_bytes, heads.window, 0)
    return Op("attention_decode", "attention_decode", flops, moved, sequences * heads.kv / sms, shape)


def mla_prefill(tokens: float, context: float, heads: Heads, kv_bytes: float) -> Op:
    """Multi-head latent attention on expanded keys and values, or on the `window` keys that an indexer picks
    for each query. L: thousands of keys."""
    dims = heads.qk_dim + heads.v_dim
    seen, reach = _in_window(tokens, context, heads.window)
    flops = 2.0 * heads.query * dims * pairs(tokens, context, heads.window)
    moved = ACTIVATION * heads.query * dims * (2.0 * tokens + seen)
    shape = (1, tokens, heads.query, heads.kv, heads.qk_dim, kv_bytes, heads.window, context)
    return Op("mla_prefill", "mla_prefill", flops, moved, reach / 1000.0, shape)


def mla_decode(sequences: float, keys: float, heads: Heads, kv_bytes: float, sms: int) -> Op:
    """Absorbed: queries of rank + rope against the latent itself, or the `window` latents that an indexer
    picks. L: blocks per multiprocessor."""
    dims = heads.qk_dim + heads.v_dim
    if heads.window:
        keys = min(keys, sequences * heads.window)
    flops = 2.0 * heads.query * dims * keys
    moved = keys * heads.qk_dim * kv_bytes + sequences * heads.query * dims * ACTIVATION
    shape = (sequences, keys / sequences, heads.query, heads.kv, heads.qk_dim, kv_bytes, 0, 0)
    return Op("mla_decode", "mla_decode", flops, moved, sequences * heads.query / sms, shape)


def index_prefill(tokens: float, context: float, heads: int, dim: int) -> Op:
    """An indexer scores every key of a chunk for each of its queries, in FP8."""
    flops = 2.0 * heads * dim * pairs(tokens, context)
    moved = tokens * (heads * dim + INDEX_SCALE) + (tokens + context) * (dim + INDEX_SCALE)
    return Op("index_prefill", "indexer", flops, moved, 0.0, (1, tokens, heads, 1, dim, 1.0, 0, context))


def index_decode(sequences: float, keys: float, heads: int, dim: int) -> Op:
    """The same for a batch of one token each."""
    flops, moved = 2.0 * heads * dim * keys, keys * (dim + INDEX_SCALE) + sequences * heads * dim
    return Op("index_decode", "indexer", flops, moved, 0.0)


def moe(tokens: float, experts: Experts, weight: float, hit: float, bytes_per_s: float) -> Op:
    """Routed experts of one rank, `hit` of them touched; weight: bytes an element. L: microseconds that
    permuting and combining all tokens takes at the memory's bandwidth."""
    rows = tokens * experts.per_token / experts.ep
    flops = 2.0 * experts.matrices * rows * experts.hidden * experts.width
    moved = experts.matrices * hit * experts.hidden * experts.width * weight
    moved += rows * (2 * experts.hidden + experts.matrices * experts.width) * ACTIVATION
    lead = tokens * experts.per_token * experts.hidden * ACTIVATION / bytes_per_s * 1e6
    shape = (
        tokens,
        experts.hidden,
        experts.width,
        experts.per_token,
        experts.total,
        experts.tp,
        experts.ep,
        0.0,
    )
    return Op("moe", "experts", flops, moved, lead, shape)


def expected_experts(tokens: float, experts: Experts) -> float:
    """Experts of one rank that some of `tokens` tokens reach, each choosing at random."""
    missed: float = (1.0 - experts.per_token / experts.total) ** tokens
    return experts.total / experts.ep * (1.0 - missed)


def balanced_experts(tokens: float, experts: Experts) -> float:
    """The same under perfectly balanced routing, as benchmarks have it."""
    return min(experts.total / experts.ep, max(tokens * experts.per_token / experts.ep, 1.0))


def elementwise(name: str, moved: float) -> Op:
    return Op("elementwise", name, 0.0, moved, 0.0)


def collective(name: str, kind: str, size: float) -> Op:
    """A collective over `size` bytes on each rank; kind: all_reduce, all_gather, alltoall, send."""
    return Op(kind, name, 0.0, size, 0.0)
