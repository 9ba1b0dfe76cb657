"""What limits each pool, the figure that shows it, what would relieve it, and how far saturation is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.results.limits import (
    BANDWIDTH,
    BOUNDS,
    BUDGET,
    COMPUTE,
    INTERCONNECT,
    KV,
    LINK,
    OVERHEAD,
    SEQS,
    PoolLimits,
)
from simulator.results.sample import View
from simulator.scenario.resolved import ModelSpec, PoolSpec

FULL = 0.95  # of the KV blocks, or of max_num_seqs: a replica is full
FULL_TIME = 0.05  # of the time full: that is what limits it, since requests wait for it
BUSY_LINK = 0.5  # of the time with a transfer: the link limits
FULL_STEPS = 0.5  # of busy time in steps that use the whole token budget …
RELIEF = 0.95  # … and twice the budget would bring the load to this share or less: the budget limits


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """binds: a name of results.limits, "" for an idle pool; shares: how much each resource binds, of busy
    time for those that steps are bound by and the token budget, of all time for the others.

    load: see PoolLimits; then: what would bind at saturation; relief: what would help, by resource.
    """

    binds: str
    shares: dict[str, float | None]
    load: float | None
    load_with: dict[str, float]
    then: str
    relief: dict[str, str]


def bottleneck(
    spec: PoolSpec,
    model: ModelSpec,
    figures: dict[str, Any],
    full: dict[str, float],
    limits: Sequence[PoolLimits],
) -> Bottleneck:
    """figures: the pool's metrics of work; full: from `full_time`; limits: one per replication, or none."""
    shares = full | _shares(figures, limits)
    load, load_with = _loads(limits)
    then = min(load_with, key=lambda name: load_with[name]) if load_with else ""
    binds = _binds(shares, load, load_with) if figures["busy"] else ""
    return Bottleneck(binds, shares, load, load_with, then, relief(spec, model))


def full_time(view: View, spec: PoolSpec, cut: float) -> dict[str, float]:
    """Share of the replicas' time from the cut on, by bins, with KV blocks or max_num_seqs used up."""
    rows = np.array([name == spec.name for name in view.pools])
    columns = slice(int(np.searchsorted(view.start_s, cut)), None)
    width = view.width_s[columns]
    time = float(width.sum()) * int(rows.sum())
    most = {"kv_use": (KV, 1.0), "running": (SEQS, float(spec.engine.max_num_seqs))}
    found = {}
    for name, (resource, limit) in most.items():
        full = np.nan_to_num(view.bins[name][rows, columns]) >= FULL * limit
        found[resource] = float((full * width).sum()) / time if time else 0.0
    return found


def _shares(figures: dict[str, Any], limits: Sequence[PoolLimits]) -> dict[str, float | None]:
    """Without limits, of a run that was not simulated here, the roofs: MFU and MBU of busy time."""
    if not limits:
        busy = figures["busy"] or 1.0
        return {COMPUTE: figures["mfu"] / busy, BANDWIDTH: figures["mbu"] / busy}
    found: dict[str, float | None] = {name: _mean([one.bounds[name] for one in limits]) for name in BOUNDS}
    found[BUDGET] = _mean([one.full_steps for one in limits])
    busy_ports = [one.link_busy for one in limits if one.link_busy is not None]
    return found | ({LINK: _mean(busy_ports)} if busy_ports else {})


def _loads(limits: Sequence[PoolLimits]) -> tuple[float | None, dict[str, float]]:
    known = [one for one in limits if one.load is not None]
    if not known:
        return None, {}
    names = known[0].load_with
    return (
        _mean([one.load for one in known if one.load is not None]),
        {name: _mean([one.load_with[name] for one in known]) for name in names},
    )


def _binds(shares: dict[str, float | None], load: float | None, load_with: dict[str, float]) -> str:
    """What requests wait for, if anything is used up; else what most of the busy time is bound by."""
    least = {KV: FULL_TIME, SEQS: FULL_TIME, LINK: BUSY_LINK, BUDGET: FULL_STEPS}
    used_up = {name: shares.get(name) or 0.0 for name in least if (shares.get(name) or 0.0) > least[name]}
    if BUDGET in used_up and load and load_with[BUDGET] > RELIEF * load:
        del used_up[BUDGET]
    among = used_up or {name: shares.get(name) or 0.0 for name in BOUNDS}
    return max(among, key=lambda name: among[name])


def relief(spec: PoolSpec, model: ModelSpec) -> dict[str, str]:
    """What a user can change, by resource; nothing that is so already."""
    args, wider = spec.engine, "a larger tensor_parallel_size"
    faster = ["quantization: fp8"] if model.activation_dtype == "bf16" else []
    lighter = ["quantization: fp8"] if model.weight_dtype == "bf16" else []
    narrower = ["kv_cache_dtype: fp8"] if model.kv_dtype == "bf16" else []
    return {
        COMPUTE: ", ".join([*faster, "more replicas", wider]),
        BANDWIDTH: ", ".join([*lighter, *narrower, wider]),
        INTERCONNECT: "a smaller tensor_parallel_size with more replicas",
        OVERHEAD: "fewer replicas with larger batches",
        KV: ", ".join([*narrower, "more gpu_memory_utilization", wider, "more replicas"]),
        SEQS: f"max_num_seqs over {args.max_num_seqs}, more replicas",
        BUDGET: f"max_num_batched_tokens over {args.max_num_batched_tokens}",
        LINK: "more transfer bandwidth, more replicas, each with its own port",
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
