"""Fleets with prefill pools: one replica of each role, and random small ones made from those of fleets.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from fleets import Case, case

from simulator.catalog import Link
from simulator.plugins import names
from simulator.scenario.resolved import Layout, Plugin, Resolved, TransferSpec

SHAPES = (("prefill", "decode"), ("prefill", "both"), ("prefill", "decode", "both"))
ROUTERS = [name for name in names("routers") if name != "conditional"]


def pair(
    base: Resolved, prefill: dict[str, int], bytes_per_s: float, latency_s: float, **transfer: Any
) -> Resolved:
    """The scenario's pool as one prefill and one decode replica with a link between them; prefill: engine
    arguments of the first alone.
    """
    pool = base.fleet.pools[0]
    first = replace(pool.engine, **prefill)
    pools = (
        replace(pool, name="prefill", role="prefill", engine=first),
        replace(pool, name="decode", role="decode"),
    )
    link = Link(name="test", bytes_per_s=bytes_per_s, latency_s=latency_s, source="a test")
    spec = TransferSpec(link=link, **({"connector": "nixl"} | transfer))
    return replace(base, fleet=replace(base.fleet, pools=pools, transfer=spec))


def disaggregated(seed: int) -> Case:
    """The same case for the same seed: its replicas spread over roles, and a link between them."""
    made = case(seed)
    rng = np.random.default_rng([seed, 1])
    roles = SHAPES[int(rng.integers(len(SHAPES)))]
    base = made.scenario.fleet.pools[0]
    pools = []
    for role in roles:
        engine = replace(base.engine, async_scheduling=bool(rng.random() < 0.5))
        router = Plugin(str(rng.choice(ROUTERS))) if role == "decode" else None
        replicas = int(rng.integers(1, 4))
        pools.append(replace(base, name=role, role=role, replicas=replicas, engine=engine, router=router))
    link = Link(
        name="test",
        bytes_per_s=float(rng.choice([1e7, 1e9, 1e12])),
        latency_s=float(rng.choice([0.0, 2e-5, 0.01])),
        source="a test",
    )
    entry = Plugin("conditional", {"tokens": 20}) if "both" in roles else Plugin(str(rng.choice(ROUTERS)))
    fleet = replace(
        made.scenario.fleet, pools=tuple(pools), router=entry, transfer=TransferSpec("nixl", link)
    )
    return replace(made, scenario=replace(made.scenario, fleet=fleet))


def handed(seed: int) -> Case:
    """The same fleets with every way to hand over: pulled or pushed, in pieces or whole, whoever makes the
    first token, over links slow enough that they matter; some replicas are two data-parallel ranks.
    """
    made = disaggregated(seed)
    rng = np.random.default_rng([seed, 2])
    fleet = made.scenario.fleet
    assert fleet.transfer is not None
    push = bool(rng.random() < 0.8)
    transfer = replace(
        fleet.transfer,
        push=push,
        sends=str(rng.choice(["prompt", "chunk", "layer", "layer"])) if push else "prompt",
        first_token=str(rng.choice(["decode", "prefill", "relayed"])),
        link=replace(fleet.transfer.link, bytes_per_s=float(rng.choice([1e8, 1e9, 1e10, 1e12]))),
    )
    pools = tuple(replace(pool, layout=Layout(1, 1, int(rng.choice([1, 1, 2])))) for pool in fleet.pools)
    fleet = replace(fleet, transfer=transfer, pools=pools)
    return replace(made, scenario=replace(made.scenario, fleet=fleet))
