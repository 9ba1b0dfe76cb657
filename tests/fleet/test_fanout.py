"""Ranks that read from ranks: closed forms, and every rank counted one by one."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from runs import poisson, scenario

from simulator import catalog
from simulator.catalog import Link, Model
from simulator.fleet.fanout import way
from simulator.scenario.resolved import Layout, Resolved, TransferSpec
from simulator.simulate import simulate

LLAMA: Model = catalog.load("models", "llama-3.1-70b")  # 8 KV heads
LATENT: Model = catalog.load("models", "deepseek-v3")
STEP_S = 0.01


def _held(heads: int, ranks: int) -> list[set[int]]:
    """The KV heads of each rank: its part of them, or a copy of one."""
    if ranks >= heads:
        return [{rank * heads // ranks} for rank in range(ranks)]
    each = heads // ranks
    return [set(range(rank * each, (rank + 1) * each)) for rank in range(ranks)]


def _counted(heads: int, here: int, there: int) -> tuple[float, float, float]:
    """By rank: the most that one sends, the most that one reads, all that travels; of one for all heads."""
    sent, read = np.zeros(here), np.zeros(there)
    holders = [[rank for rank, own in enumerate(_held(heads, here)) if head in own] for head in range(heads)]
    asked = [0] * heads
    for rank, own in enumerate(_held(heads, there)):
        for head in own:
            sent[holders[head][asked[head] % len(holders[head])]] += 1 / heads
            asked[head] += 1
            read[rank] += 1 / heads
    return float(sent.max()), float(read.max()), float(read.sum())


@pytest.mark.parametrize(("here", "there"), list(product([1, 2, 4, 8, 16, 32], repeat=2)))
@pytest.mark.parametrize(("model", "heads"), [(LLAMA, 8), (LATENT, 1)], ids=["heads", "latent"])
def test_every_pair_of_sizes_as_ranks_counted_one_by_one(
    model: Model, heads: int, here: int, there: int
) -> None:
    sent, read, total = _counted(heads, here, there)
    sides = (Layout(here), Layout(there))
    assert way(model, *sides, "accelerator") == pytest.approx((sent, read))
    assert way(model, *sides, "replica") == pytest.approx((total, total))


def test_stages_of_a_pipeline_send_their_layers() -> None:
    """80 layers on 4 stages, each of its ranks with a quarter of the layers and an eighth of the heads."""
    assert way(LLAMA, Layout(8, 4), Layout(1), "accelerator") == pytest.approx((1 / 8 / 4, 1.0))


def _fleet(here: int, there: int, per: str) -> Resolved:
    base = scenario(1, STEP_S, async_scheduling=False, enable_prefix_caching=False)
    pool = base.fleet.pools[0]
    pools = (
        replace(pool, name="prefill", role="prefill", layout=Layout(here)),
        replace(pool, name="decode", role="decode", layout=Layout(there)),
    )
    link = Link(name="test", bytes_per_s=1e9, latency_s=0.0, source="a test")
    transfer = TransferSpec("nixl", link, per=per)
    return replace(base, fleet=replace(base.fleet, pools=pools, transfer=transfer))


@pytest.mark.parametrize(
    ("here", "there", "per", "busiest"),
    [
        (1, 1, "accelerator", 1),
        (2, 1, "accelerator", 1),  # one rank reads from two
        (4, 2, "accelerator", 1 / 2),  # each of two reads from two: its port is the busiest
        (2, 4, "accelerator", 1 / 2),  # each of two serves two
        (16, 16, "accelerator", 1 / 8),  # a head on two ranks each: no rank has less than a head
        (16, 1, "accelerator", 1),
        (4, 2, "replica", 1),
        (4, 16, "replica", 2),  # every head travels to two ranks
    ],
)
def test_a_transfer_takes_as_long_as_the_busiest_port(
    here: int, there: int, per: str, busiest: float
) -> None:
    """Llama-3.1-8B: 8 KV heads, 131,072 bytes a token; 100 tokens at 1 GB/s for each port."""
    result = simulate(_fleet(here, there, per), load=poisson(0.1, 5, 100, 2)).requests
    assert result["transfer_move_s"].to_numpy() == pytest.approx(busiest * 100 * 131072 / 1e9, rel=1e-6)
