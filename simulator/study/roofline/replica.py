"""One replica to look at: its layout, its cost model and what its memory holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.catalog import Accelerator
from simulator.cost import check, memory, roofline
from simulator.cost.memory import Memory
from simulator.cost.roofline import Roofline
from simulator.scenario.resolved import EngineArgs, Layout, ModelSpec
from simulator.scenario.serving import engine_defaults

WIDEST = 8  # accelerators of a replica that are tried when no tensor-parallel size is given


@dataclass(frozen=True, slots=True)
class Settings:
    """What all replicas of a study share. longest: tokens of the longest sequence; correction: as
    cost.roofline.build takes it; utilization: share of the memory that the engine may use, None: its
    default."""

    longest: int
    correction: str = "measured"
    utilization: float | None = None


@dataclass(frozen=True, slots=True)
class Replica:
    """memory.num_gpu_blocks is 0 where the model does not fit."""

    model: ModelSpec
    accelerator: Accelerator
    layout: Layout
    cost: Roofline
    memory: Memory

    @property
    def gpus(self) -> int:
        return self.layout.tensor_parallel_size

    def holds(self, tokens: float) -> int:
        """Sequences of so many tokens that run at once: as the KV cache and max_num_seqs allow."""
        engine = self.cost.engine
        blocks = -(-tokens // engine.block_size)
        return min(engine.max_num_seqs, int((self.memory.num_gpu_blocks - 1) // blocks))


def smallest(model: ModelSpec, accelerator: Accelerator, settings: Settings, where: str = "") -> Replica:
    """The replica of the fewest accelerators that the model fits. Raises InputError if none does."""
    return next(iter(layouts(model, accelerator, settings)), None) or fitting(
        model, accelerator, 1, settings, where
    )


def layouts(model: ModelSpec, accelerator: Accelerator, settings: Settings) -> Iterator[Replica]:
    """Replicas of 1 to WIDEST accelerators on one link that the model can be cut for and fits."""
    engine = _engine(accelerator, settings)
    for size in range(1, min(WIDEST, accelerator.scaleup_size) + 1):
        layout = Layout(tensor_parallel_size=size)
        if not check.problems(model, accelerator, layout, engine):
            found = replica(model, accelerator, size, settings)
            if fits(found):
                yield found


def fitting(
    model: ModelSpec, accelerator: Accelerator, size: int, settings: Settings, where: str = ""
) -> Replica:
    """The replica of that tensor-parallel size. Raises InputError for all that forbids it, by how much and
    what would work."""
    engine = _engine(accelerator, settings)
    memory.fit(model, accelerator, Layout(tensor_parallel_size=size), engine, where)
    return replica(model, accelerator, size, settings)


def fits(found: Replica) -> bool:
    return memory.shortfall(found.memory, found.cost.engine) <= 0


def replica(model: ModelSpec, accelerator: Accelerator, size: int, settings: Settings) -> Replica:
    """The replica of that tensor-parallel size, whether its memory suffices or not."""
    layout, engine = Layout(tensor_parallel_size=size), _engine(accelerator, settings)
    cost = roofline.build(model, accelerator, layout, engine, correction=settings.correction)
    assert isinstance(cost, Roofline), cost
    return Replica(model, accelerator, layout, cost, memory.measure(model, accelerator, layout, engine))


def _engine(accelerator: Accelerator, settings: Settings) -> EngineArgs:
    share = settings.utilization
    given = {} if share is None else {"gpu_memory_utilization": share}
    return engine_defaults(accelerator, settings.longest, **given)
