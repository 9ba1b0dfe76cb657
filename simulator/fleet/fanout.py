"""What a transfer puts on the busiest link of each side, by how its two replicas are laid out.

A tensor-parallel rank holds the KV of its own heads, and with more ranks than heads several hold the same
ones; a latent (MLA) is on every rank. Each decode rank reads the heads that it will hold from the prefill
ranks that hold them: with as many or more of these, each of them serves at most one decode rank; with fewer,
each serves several, and copies travel as often as they are held. So does vLLM's NIXL connector (0.33.0,
distributed/kv_transfer/kv_connector/v1/nixl/), and vllm-ascend's, where ranks that hold copies send nothing.
"""

from __future__ import annotations

from math import ceil

from simulator.catalog import Model
from simulator.cost import shape
from simulator.scenario.resolved import Layout

Way = tuple[float, float]
"""Bytes through the sender's port and through the receiver's, for one byte of a token's KV."""


def way(model: Model, sender: Layout, receiver: Layout, per: str) -> Way:
    """per: "accelerator": each rank has a port of its own, the busiest counts; "replica": they share one."""
    heads = _heads(model)
    here, there = sender.tensor_parallel_size, receiver.tensor_parallel_size
    read = max(1, heads // there) / heads  # by one decode rank
    if per == "replica":
        return there * read, there * read
    sent = read * (there / here) if here < there else max(1, heads // here) / heads
    return sent * _stage(model, sender), read * _stage(model, receiver)


def _heads(model: Model) -> int:
    """KV heads that ranks can share out; a latent is one."""
    if shape.is_mla(model):
        return 1
    return min(shape.heads(model, kind).kv for kind in shape.kinds(model) if kind != shape.LINEAR)


def _stage(model: Model, layout: Layout) -> float:
    """The largest share of the layers on one pipeline stage."""
    return ceil(model.num_hidden_layers / layout.pipeline_parallel_size) / model.num_hidden_layers
