"""The cost model: a step's seconds, FLOPs and bytes from rooflines of its kernels.

A decode-only step is piecewise linear in its sum of contexts by definition: attention is priced at fixed
knots and interpolated between them. Tables fill as they are asked for and are shared by every replica with
equal settings.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from simulator.catalog import Accelerator
from simulator.cost import graphs
from simulator.cost.chunks import ChunkCost, chunk_cost
from simulator.cost.efficiency import overheads
from simulator.cost.layout import Counted, Plan, decode_ops, head_ops, plan, token_ops
from simulator.cost.rates import Rates
from simulator.cost.work import Line, OpCost, Price, Work
from simulator.scenario.resolved import EngineArgs, Layout, ModelSpec

KNOTS_PER_DOUBLING = 2
GRID = 64  # tokens between the batch sizes that are priced above the largest CUDA graph
LONGEST = 24  # doublings: contexts beyond any model's

Segment = tuple[
    Line, float, float, float, float, float, float
]  # and attention's own base and slope: s, FLOPs, bytes


def build(
    model: ModelSpec,
    accelerator: Accelerator,
    layout: Layout,
    engine: EngineArgs,
    *,
    correction: str = "measured",
) -> Roofline:
    """The cost model of one replica; replicas with equal settings share one. Cheap: tables fill on use.

    correction: "measured" scales each kernel by what measured rows near it say, "none" is the formula alone.
    """
    key = (model, _frozen(accelerator), layout, engine, correction)
    found = _built.get(key)
    if found is None:
        rates = Rates(plan(model, accelerator, layout), correction == "measured")
        found = _built[key] = Roofline(rates, engine)
    return found


_built: dict[Any, Roofline] = {}
_new = tuple.__new__  # a NamedTuple's own constructor takes three times as long


def _frozen(accelerator: Accelerator) -> tuple[Any, ...]:
    values = (getattr(accelerator, name) for name in accelerator.__slots__)
    return tuple(tuple(sorted(value.items())) if isinstance(value, dict) else value for value in values)


class Roofline:
    """A CostModel. Times in seconds; FLOPs and bytes are of all ranks together."""

    __slots__ = (
        "_chunk",
        "_ends",
        "_graphs",
        "_head",
        "_knots",
        "_launch_s",
        "_lines",
        "_mixed",
        "_sequence_s",
        "_step_s",
        "_top",
        "engine",
        "plan",
        "rates",
    )

    def __init__(self, rates: Rates, engine: EngineArgs) -> None:
        plan = rates.plan
        self.rates, self.plan, self.engine = rates, plan, engine
        self._graphs = graphs.capture_sizes(engine, plan.accelerator)
        self._top = self._graphs[-1] if self._graphs else 0
        self._launch_s = graphs.launch_s(plan.model.num_hidden_layers)
        self._step_s, self._sequence_s = _overhead(plan, engine)
        self._mixed: dict[int, tuple[float, float, float]] = {}
        self._head: dict[int, tuple[float, float, float]] = {}
        self._knots: dict[int, tuple[float, float, float]] = {}
        self._ends = _knots()
        self._lines: dict[int, list[Segment | None]] = {}
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
        s, f, b = self._mixed.get(tokens) or self._fill_mixed(tokens)
        hs, hf, hb = self._head.get(samples) or self._fill_head(samples)
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

    def padded(self, tokens: int) -> int:
        """Tokens that the linear layers work on: the batch, or the CUDA graph that holds it."""
        return graphs.padded(tokens, self._graphs)

    def _segment(self, decodes: int, keys: int) -> Segment:
        segments = self._lines.get(decodes)
        if segments is None:
            segments = self._lines[decodes] = [None] * (len(self._ends) + 1)
        index = bisect_left(self._ends, -(-keys // decodes)) if decodes else 0
        return segments[index] or self._fill_segment(decodes, index)

    def _first_chunk(self, tokens: int, context: int) -> tuple[float, float, float]:
        self._chunk = chunk_cost(self.rates, self.engine.max_num_batched_tokens)
        return self._chunk(tokens, context)

    def _fill_mixed(self, tokens: int) -> tuple[float, float, float]:
        found = self._mixed[tokens] = (
            self._cost(token_ops, self.padded(tokens), tokens)
            if tokens <= self._top
            else self._between(tokens)
        )
        return found

    def _between(self, tokens: int) -> tuple[float, float, float]:
        """Above all graphs: between the nearest multiples of GRID tokens."""
        below = tokens // GRID * GRID
        a, b = self._knot(below), self._knot(below + GRID)
        share = (tokens - below) / GRID
        return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), a[2] + share * (b[2] - a[2])

    def _knot(self, tokens: int) -> tuple[float, float, float]:
        """A batch around that size: one of four is a multiple of four, which kernels treat differently."""
        found = self._knots.get(tokens)
        if found is None:
            aligned = self._cost(token_ops, max(tokens, 4), tokens)
            odd = self._cost(token_ops, max(tokens - 1, 1), tokens)
            found = self._knots[tokens] = (0.25 * aligned[0] + 0.75 * odd[0], aligned[1], aligned[2])
        return found

    def _fill_head(self, samples: int) -> tuple[float, float, float]:
        found = self._head[samples] = self._cost(head_ops, samples, samples) if samples else (0.0, 0.0, 0.0)
        return found

    def _cost(self, ops_of: Any, worked: int, useful: int) -> tuple[float, float, float]:
        """Seconds and bytes of `worked` rows, FLOPs of the `useful` ones."""
        counted: list[Counted] = ops_of(self.plan, worked)
        flops = sum(count * op.flops for op, count in counted) * useful / worked
        moved = sum(count * op.bytes for op, count in counted)
        return self.rates.total(counted), flops * self.plan.ranks, moved * self.plan.ranks

    def _fill_segment(self, decodes: int, index: int) -> Segment:
        index = min(index, len(self._ends) - 1)
        first, last = decodes * (self._ends[index - 1] if index else 1), decodes * self._ends[index]
        s0, f0, b0 = self._attention(decodes, first)
        s1, f1, b1 = self._attention(decodes, last)
        if decodes > self._top:
            s0, s1 = self._launched(decodes, s0), self._launched(decodes, s1)
        width = last - first
        slopes = ((s1 - s0) / width, (f1 - f0) / width, (b1 - b0) / width) if width else (0.0, 0.0, 0.0)
        bases = [at - slope * first for at, slope in zip((s0, f0, b0), slopes)]
        linear = self._mixed.get(decodes) or self._fill_mixed(decodes)
        head = self._head.get(decodes) or self._fill_head(decodes)
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

    def _launched(self, decodes: int, attention_s: float) -> float:
        """Attention's seconds, lengthened where the host cannot launch kernels as fast as they run."""
        rest = self._fill_mixed(decodes)[0] + self._fill_head(decodes)[0]
        return max(attention_s, self._launch_s - rest)

    def _attention(self, decodes: int, keys: int) -> tuple[float, float, float]:
        counted = decode_ops(self.plan, decodes, keys)
        flops = sum(count * op.flops for op, count in counted)
        moved = sum(count * op.bytes for op, count in counted)
        return self.rates.total(counted), flops * self.plan.ranks, moved * self.plan.ranks


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
