"""One step of one replica, op by op: what it computes, moves and takes, and where each time comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.catalog import Accelerator, Model, hf_config, load
from simulator.cost import check, efficiency, memory
from simulator.cost.data_parallel import DataParallel
from simulator.cost.roofline import Roofline, build
from simulator.cost.work import OpCost, Price, Work
from simulator.errors import InputError, Problem
from simulator.scenario.resolved import EngineArgs, Layout, ModelSpec


@dataclass(frozen=True, slots=True)
class Replica:
    """What a step runs on. cost: its cost model."""

    model: ModelSpec
    accelerator: Accelerator
    layout: Layout
    engine: EngineArgs
    cost: Roofline | DataParallel


@dataclass(frozen=True, slots=True)
class Step:
    """A step's price and its ops; capacity_tokens: what the KV cache holds, None if the model does not
    fit."""

    replica: Replica
    work: Work
    price: Price
    ops: list[OpCost]
    capacity_tokens: int | None
    misfit: str

    @property
    def needed_tokens(self) -> int:
        """Tokens of KV that the step's requests hold once it has run."""
        return self.work.context_sum + sum(size + before for size, before in self.work.chunks)


def replica(
    model: ModelSpec, accelerator: Accelerator, layout: Layout, engine: EngineArgs, correction: str
) -> Replica:
    """Raises InputError if the model cannot be laid out so; whether it fits into memory is told by `step`."""
    found = check.problems(model, accelerator, layout, engine)
    if found:
        raise InputError(found)
    cost = build(model, accelerator, layout, engine, correction=correction)
    return Replica(model, accelerator, layout, engine, cost)


def shape(name: str) -> Model:
    """A model of the catalogue, or of the config.json at that path."""
    model: Model = hf_config.load(Path(name)) if name.endswith(".json") else load("models", name)
    return model


def work(decodes: int, context: int, chunks: Sequence[tuple[int, int]]) -> Work:
    """`decodes` decodes that read `context` keys each, and chunks, each the last of its prompt."""
    if decodes + len(chunks) == 0:
        raise InputError(Problem("", "the step is empty", "--decodes N or --prefill TOKENS[@BEFORE]"))
    return Work(decodes, decodes * context, tuple(chunks), decodes + len(chunks))


def step(on: Replica, work: Work) -> Step:
    """What the step costs on that replica. Raises InputError if the engine would never plan it."""
    budget = on.engine.max_num_batched_tokens
    tokens = work.decodes + sum(size for size, _ in work.chunks)
    if tokens > budget:
        raise InputError(
            Problem("", f"{tokens} tokens exceed max_num_batched_tokens {budget}", f"up to {budget}")
        )
    capacity, misfit = None, ""
    try:
        capacity = memory.fit(on.model, on.accelerator, on.layout, on.engine).kv_tokens
    except InputError as error:
        misfit = error.problems[0].what + (f" ({error.problems[0].hint})" if error.problems[0].hint else "")
    return Step(on, work, on.cost.price(work), on.cost.explain(work), capacity, misfit)


def totals(found: Step) -> dict[str, Any]:
    """The step's figures: seconds, tokens/s, intensity against the ridge, shares of the peaks."""
    hardware, used = found.replica.accelerator, found.replica.cost.plan.precision
    count = found.replica.layout.accelerators
    peak = efficiency.peak_flops(hardware, used.peak)
    price = found.price
    return {
        "seconds": price.seconds,
        "flops": price.flops,
        "bytes": price.bytes,
        "intensity": price.flops / price.bytes,
        "ridge": peak / hardware.hbm_bytes_per_s,
        "mfu": price.flops / price.seconds / peak / count,
        "mbu": price.bytes / price.seconds / hardware.hbm_bytes_per_s / count,
        "output_tokens_per_s": found.work.samples / price.seconds,
        "total_tokens_per_s": (found.work.decodes + sum(s for s, _ in found.work.chunks)) / price.seconds,
    }


def rows(found: Step) -> list[dict[str, Any]]:
    """One row an op: the bytes are of all ranks, intensity is None for what does no arithmetic."""
    return [
        {
            "op": op.name,
            "flops": op.flops,
            "bytes": op.bytes,
            "intensity": op.flops / op.bytes if op.flops and op.bytes else None,
            "seconds": op.seconds,
            "share": op.seconds / found.price.seconds,
            "bound": op.bound,
            "source": op.source,
        }
        for op in found.ops
        if op.flops or abs(op.seconds) > 1e-9 * found.price.seconds
    ]
