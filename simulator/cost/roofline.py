"""The cost model: a step's seconds, FLOPs and bytes from rooflines of its kernels.

A decode-only step is piecewise linear in its sum of contexts by definition: attention is priced at fixed
knots and interpolated between them. Tables fill as they are asked for and are shared by every replica with
equal settings.
"""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path
from typing import Any

from simulator.catalog import Accelerator, pool
from simulator.cost import graphs
from simulator.cost.chunks import ChunkCost, chunk_cost
from simulator.cost.data_parallel import DataParallel
from simulator.cost.efficiency import overheads
from simulator.cost.layout import Plan, decode_ops, plan
from simulator.cost.rates import Rates
from simulator.cost.tokens import TokenCosts
from simulator.cost.work import Line, OpCost, Price, Work
from simulator.errors import InputError, Problem
from simulator.scenario.resolved import EngineArgs, Layout, ModelSpec

KNOTS_PER_DOUBLING = 2
LONGEST = 24  # doublings: contexts beyond any model's

# A line, then attention's own base and slope in seconds, FLOPs and bytes.
Segment = tuple[Line, float, float, float, float, float, float]


def build(
    model: ModelSpec,
    accelerator: Accelerator,
    layout: Layout,
    engine: EngineArgs,
    *,
    correction: str = "measured",
) -> Roofline | DataParallel:
    """The cost model of one replica; replicas with equal settings share one. Cheap: tables fill on use.

    correction: "measured" scales each kernel by what the shipped measurements near it say, a path ending in
    .npz by one's own (`sim validate kernels --pack`), "none" is the formula alone.
    """
    key = (model, _frozen(accelerator), layout, _relevant(engine), correction)
    found = _built.get(key)
    if found is None:
        rates = Rates(plan(model, accelerator, layout), _pool(correction), engine.preset)
        rank = Roofline(rates, engine)
        ranks = layout.data_parallel_size
        found = _built[key] = rank if ranks == 1 else DataParallel(rank, ranks)
    return found


def forget() -> None:
    """Drop the tables of all that was priced so far: a study of hundreds of deployments needs none twice."""
    _built.clear()


_built: dict[Any, Roofline | DataParallel] = {}
_new = tuple.__new__  # a NamedTuple's own constructor takes three times as long


def _pool(correction: str) -> Path | None:
    """The measured rows that correct the formula. Raises InputError for a file that isn't there."""
    if correction in ("measured", "none"):
        return pool.SHIPPED if correction == "measured" else None
    if not correction.endswith(".npz") or not Path(correction).is_file():
        allowed = "measured, none, or the path of a pool packed by sim validate kernels --pack"
        raise InputError(Problem("correction", f"no such correction: {correction}", allowed))
    return Path(correction).absolute()


def _relevant(engine: EngineArgs) -> tuple[Any, ...]:
    """The arguments that a price depends on."""
    limits = (engine.max_num_batched_tokens, engine.max_num_seqs, engine.max_model_len)
    return (engine.preset, engine.planner, *limits, engine.enforce_eager, engine.async_scheduling)


def _frozen(accelerator: Accelerator) -> tuple[Any, ...]:
    values = (getattr(accelerator, name) for name in accelerator.__slots__)
    return tuple(tuple(sorted(value.items())) if isinstance(value, dict) else value for value in values)


class Roofline:
    """A CostModel. Times in seconds; FLOPs and bytes are of all ranks together."""

    __slots__ = (
        "_at",
        "_chunk",
        "_ends",
        "_head",
        "_launch_s",
        "_lines",
        "_mixed",
        "_sequence_s",
        "_step_s",
        "_top",
        "engine",
        "plan",
        "rates",
        "tokens",
    )

    def __init__(self, rates: Rates, engine: EngineArgs) -> None:
        plan = rates.plan
        self.rates, self.plan, self.engine = rates, plan, engine
        self.tokens = TokenCosts(rates, graphs.capture_sizes(engine, plan.accelerator))
        self._mixed, self._head, self._top = (
            self.tokens.by_tokens,
            self.tokens.by_samples,
            self.tokens.largest,
        )
        self._launch_s = graphs.launch_s(plan.model.num_hidden_layers)
        self._step_s, self._sequence_s = _overhead(plan, engine)
        self._ends = _knots()
        self._lines: dict[int, list[Segment | None]] = {}
        self._at: dict[tuple[int, int], tuple[float, float, float]] = {}
        self._chunk: ChunkCost = self._first_chunk

    def price(self, work: Work) -> Price:
        """What the step costs; a decode-only one exactly its line at its sum of contexts."""
        decodes, keys, chunks, samples = work
        if not chunks:
            line = self._segment(decodes, keys)[0]
            return _new(
                Price,
                (
                    line.base_s + line.per_token_s * keys,
                    line.base_flops + line.per_token_flops * keys,
                    line.base_bytes + line.per_token_bytes * keys,
                ),
            )
        tokens, seconds, flops, moved = decodes, 0.0, 0.0, 0.0
        chunk = self._chunk
        for size, context in chunks:
            tokens += size
            s, f, b = chunk(size, context)
            seconds += s
            flops += f
            moved += b
        if decodes:
            _, s0, s1, f0, f1, b0, b1 = self._segment(decodes, keys)
            seconds += s0 + s1 * keys
            flops += f0 + f1 * keys
            moved += b0 + b1 * keys
        s, f, b = self._mixed.get(tokens) or self.tokens.fill(tokens)
        hs, hf, hb = self._head.get(samples) or self.tokens.fill_samples(samples)
        seconds += s + hs
        if seconds < self._launch_s and tokens > self._top:
            seconds = self._launch_s
        seconds += self._step_s + self._sequence_s * (decodes + len(chunks))
        return _new(Price, (seconds, flops + f + hf, moved + b + hb))

    def decode_line(self, decodes: int, context_sum: int) -> Line:
        """The line of a step of `decodes` decodes around that sum of contexts."""
        return self._segment(decodes, context_sum)[0]

    def explain(self, work: Work) -> list[OpCost]:
        """The step op by op, in the order it runs; the seconds add up to `price`."""
        from simulator.cost.explain import explain

        return explain(self, work)

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the times come from: a source and an error for each kind of op."""
        from simulator.cost.explain import provenance

        return provenance(self)

    def overhead_s(self, sequences: int) -> float:
        """Time of a step outside its kernels."""
        return self._step_s + self._sequence_s * sequences

    def least_s(self, work: Work) -> float:
        """No step without a CUDA graph is shorter: the host launches its kernels one by one."""
        return self._launch_s + self.overhead_s(work.decodes + len(work.chunks))

    def _segment(self, decodes: int, keys: int) -> Segment:
        segments = self._lines.get(decodes)
        if segments is None:
            segments = self._lines[decodes] = [None] * len(self._ends)
        index = bisect_left(self._ends, -(-keys // decodes)) if decodes else 0
        return segments[index] or self._fill_segment(decodes, index)

    def _first_chunk(self, tokens: int, context: int) -> tuple[float, float, float]:
        longest = max(self.engine.max_num_batched_tokens, self.engine.max_model_len)
        self._chunk = chunk_cost(self.rates, longest)
        return self._chunk(tokens, context)

    def _fill_segment(self, decodes: int, index: int) -> Segment:
        starts = self._ends[index - 1] if index else 1
        first, last = decodes * starts, decodes * self._ends[index]
        linear = self._mixed.get(decodes) or self.tokens.fill(decodes)
        head = self._head.get(decodes) or self.tokens.fill_samples(decodes)
        at_first, at_last = (self._attention(decodes, end) for end in (starts, self._ends[index]))
        width = max(last - first, 1)
        slopes = [(b - a) / width for a, b in zip(at_first, at_last)]
        bases = [a - slope * first for a, slope in zip(at_first, slopes)]
        line = Line(
            bases[0] + linear[0] + head[0] + self.overhead_s(decodes),
            slopes[0],
            float(last),
            bases[1] + linear[1] + head[1],
            slopes[1],
            bases[2] + linear[2] + head[2],
            slopes[2],
        )
        found = (line, bases[0], slopes[0], bases[1], slopes[1], bases[2], slopes[2])
        self._lines[decodes][index] = found
        return found

    def _attention(self, decodes: int, context: int) -> tuple[float, float, float]:
        """Of a decode-only step with `context` keys each, kept; its seconds are lengthened where the host
        launches kernels slower than they run."""
        found = self._at.get((decodes, context))
        if found is not None:
            return found
        counted = decode_ops(self.plan, decodes, decodes * context) if decodes else []
        flops = sum(count * op.flops for op, count in counted)
        moved = sum(count * op.bytes for op, count in counted)
        seconds = self.rates.total(counted)
        if decodes > self._top:
            seconds = max(seconds, self._launch_s - self._mixed[decodes][0] - self._head[decodes][0])
        ranks = self.plan.ranks
        found = self._at[decodes, context] = (seconds, flops * ranks, moved * ranks)
        return found


def _overhead(plan: Plan, engine: EngineArgs) -> tuple[float, float]:
    """Seconds of a step, and of each sequence in it, beside the kernels."""
    constants = overheads()
    if engine.planner == "vllm_v0":
        return constants["v0_step_s"], constants["sync_sequence_s"]
    large = plan.tp > constants["step_small_up_to_gpus"]
    step, sequence = constants["step_s"]["large" if large else "small"], constants["sequence_s"]
    if engine.async_scheduling:
        return step, sequence
    return step + constants["sync_step_s"], sequence + constants["sync_sequence_s"]


def _knots() -> list[int]:
    """Ends of segments, in tokens of context a sequence."""
    ends = {round(2 ** (step / KNOTS_PER_DOUBLING)) for step in range(2, LONGEST * KNOTS_PER_DOUBLING + 1)}
    return sorted(ends)
