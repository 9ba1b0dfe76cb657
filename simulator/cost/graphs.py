"""CUDA graphs: the sizes at which batches run, and the host time of launching kernels one by one."""

from __future__ import annotations

from bisect import bisect_left

from simulator.catalog import Accelerator
from simulator.cost.efficiency import overheads
from simulator.scenario.resolved import EngineArgs


def capture_sizes(engine: EngineArgs, accelerator: Accelerator) -> list[int]:
    """Batch sizes in tokens that are captured, ascending; [] with enforce_eager."""
    if engine.enforce_eager:
        return []
    blackwell = accelerator.architecture in ("Blackwell", "Blackwell Ultra")
    ceiling = overheads()["graph_max_tokens_blackwell" if blackwell else "graph_max_tokens"]
    largest = min(2 * engine.max_num_seqs, ceiling, engine.max_num_batched_tokens)
    sizes = {1, 2, 4, *range(8, 249, 8), *range(256, largest + 1, 16)}
    sizes |= {engine.max_num_seqs, engine.max_num_batched_tokens}
    return sorted(size for size in sizes if size <= largest)


def padded(tokens: int, sizes: list[int]) -> int:
    """The smallest captured size that holds the batch, or the batch itself above all of them."""
    index = bisect_left(sizes, tokens)
    return sizes[index] if index < len(sizes) else tokens


def launch_s(layers: int) -> float:
    """Host time of a step without a graph: no step is shorter."""
    constants = overheads()
    return float(layers * constants["kernels_per_layer"] * constants["launch_s"])
