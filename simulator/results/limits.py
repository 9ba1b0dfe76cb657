"""How near the replicas of a pool are to what they can do at most."""

from __future__ import annotations

from dataclasses import dataclass

COMPUTE, BANDWIDTH, INTERCONNECT, OVERHEAD = "compute", "bandwidth", "interconnect", "overhead"
KV, SEQS, BUDGET, LINK = "kv_capacity", "max_num_seqs", "token_budget", "link"

BOUNDS = (COMPUTE, BANDWIDTH, INTERCONNECT, OVERHEAD)
RESOURCES = (*BOUNDS, KV, SEQS, BUDGET, LINK)


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Of one pool in one replication. Shares are of 1; None: step times are given, or there is no transfer.

    bounds: busy time by what binds the operations of its mean steps; full_steps: busy time in steps that
    use the whole token budget; link_busy, link_use: time with a transfer on a port, bytes of those that the
    ports could have carried.

    load: the busy time that the requests would need with batches as full as KV blocks and max_num_seqs
    allow, over the time in which they came; 1 / load is how many times that traffic saturates the pool.
    load_with: the load with twice as much of each resource.
    """

    bounds: dict[str, float]
    full_steps: float
    link_busy: float | None
    link_use: float | None
    load: float | None
    load_with: dict[str, float]
