"""What the recorder is told of steps, in the order of results.record.StepRow."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.cost.work import Price, Work
from simulator.engine.leap import Anchor
from simulator.engine.step import Step

Row = tuple[int | float, ...]


def mixed_row(
    replica: int, start_s: float, length_s: float, step: Step, work: Work, price: Price, used_blocks: int
) -> Row:
    """One step with prefill in it."""
    tokens = pairs = 0
    for chunk, before in work.chunks:
        tokens += chunk
        pairs += chunk * before + chunk * (chunk + 1) // 2
    return (
        replica, start_s, 1, work.decodes, work.context_sum, tokens, pairs, len(work.chunks), work.samples,
        length_s, 0.0, used_blocks, used_blocks, price.flops, price.bytes,
        len(step.admitted), len(step.preempted),
    )  # fmt: skip


def anchor_row(replica: int, anchor: Anchor, used_blocks: int) -> Row:
    """A run of decode-only steps; used_blocks: at its end."""
    line, steps, n = anchor.line, anchor.steps, anchor.decodes
    tokens = steps * anchor.context_sum + n * (steps * (steps - 1) // 2)
    return (
        replica, anchor.start_s, steps, n, anchor.context_sum, 0, 0, 0, n,
        line.base_s, line.per_token_s, anchor.used_start, used_blocks,
        steps * line.base_flops + tokens * line.per_token_flops,
        steps * line.base_bytes + tokens * line.per_token_bytes,
        anchor.admitted, anchor.preempted,
    )  # fmt: skip


def stage_rows(replica: int, stages: list[tuple[float, float]], moves_s: float, row: Row) -> Iterator[Row]:
    """Of a pipeline's step: a row for each stage that it held, in the order of results.record.StageRow.

    row: of the whole step. FLOPs and bytes go by time. KV blocks count once, on the last stage.
    """
    _, _, _, decodes, _, _, _, chunks, _, _, _, used, _, flops, moved, _, _ = row
    whole = sum(end - start for start, end in stages)
    for number, (start, end) in enumerate(stages, 1):
        share = (end - start) / whole
        since = moves_s if number == len(stages) else end
        yield (replica, start, end, decodes, chunks, share * flops, share * moved, used, since)
