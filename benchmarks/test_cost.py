"""Time of the cost model: a mixed step, a decode step, its line, and filling the tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "cost"))

from specs import cost

from simulator.cost.work import Work
from simulator.scenario.resolved import Layout

MODELS: dict[str, Any] = {
    "dense": cost,
    "experts": lambda: cost("mixtral-8x7b", layout=Layout(2)),
    "latent": lambda: cost("deepseek-v3", "fp8_block", "h200-sxm", Layout(8)),
    "windows": lambda: cost("gpt-oss-120b", accelerator="b200", layout=Layout(2)),
}
EACH = pytest.mark.parametrize("name", MODELS)


@EACH
def test_price_of_a_mixed_step(benchmark: Any, name: str) -> None:
    """64 decodes and a chunk; aim: 3 µs for a dense model."""
    model, work = MODELS[name](), Work(64, 64_000, ((1984, 300),), 65)
    model.price(work)
    benchmark(model.price, work)


@EACH
def test_price_of_a_decode_step(benchmark: Any, name: str) -> None:
    model, work = MODELS[name](), Work(64, 64_000, (), 64)
    model.price(work)
    benchmark(model.price, work)


@EACH
def test_decode_line(benchmark: Any, name: str) -> None:
    """Aim: 1 µs."""
    model = MODELS[name]()
    model.decode_line(64, 64_000)
    benchmark(model.decode_line, 64, 64_000)


def test_a_line_at_every_batch_and_context(benchmark: Any) -> None:
    """Filling tables: 256 batch sizes, 6 contexts each; a run meets each of them once."""

    def fill() -> None:
        model = cost(max_num_seqs=512 + fill_count[0] % 400)
        fill_count[0] += 1
        for count in range(1, 257):
            for context in (100, 500, 1000, 2000, 4000, 8000):
                model.decode_line(count, count * context)

    fill_count = [0]
    benchmark.pedantic(fill, rounds=5)
