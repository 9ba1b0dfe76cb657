"""How each planner composes steps, on cases small enough to work out by hand; what holds for all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fleets import case
from runs import scenario

from simulator import catalog
from simulator.engine.batch import Batch
from simulator.engine.complete import complete
from simulator.engine.policies import build
from simulator.engine.request import Request
from simulator.engine.step import Step
from simulator.plugins import find
from simulator.results.gaps import inter_token
from simulator.scenario.engine_args import ABSENT
from simulator.scenario.resolved import EngineArgs, Rules
from simulator.simulate import simulate

PRESETS = catalog.names("presets")


def args(preset: str, **engine: Any) -> EngineArgs:
    """A preset's arguments, synchronous and small unless said."""
    known: catalog.Preset = catalog.load("presets", preset)
    rules = Rules(**{name: rule["value"] for name, rule in known.rules.items()})
    small = {"async_scheduling": False, "max_num_batched_tokens": 64, "max_num_seqs": 4, "max_model_len": 64}
    values = ABSENT | known.defaults | {"block_size": 4} | small | engine
    base = scenario().fleet.pools[0].engine
    return replace(base, preset=preset, planner=known.planner, rules=rules, **values)


class Engine:
    """One scheduler without time: a plan, then its outputs."""

    def __init__(self, preset: str, blocks: int = 100, **engine: Any) -> None:
        self.args = args(preset, **engine)
        self.batch = Batch(self.args, blocks, build(self.args))
        self.plan = find("planners", self.args.planner).plan
        self.rows = 0

    def add(self, prompt: int, output: int, **more: Any) -> Request:
        request = Request(self.rows, 0.0, prompt, output, order=self.rows, **more)
        self.rows += 1
        self.batch.waiting.add(request)
        return request

    def step(self) -> Step:
        step: Step = self.plan(self.batch, False)
        complete(self.batch, step.index, step)
        return step

    def steps(self) -> Iterator[Step]:
        while self.batch.running or self.batch.waiting or self.batch.swapped:
            yield self.step()


def shape(step: Step) -> tuple[int, list[int]]:
    """Decodes, and tokens of each chunk."""
    return step.decodes, [tokens for tokens, _ in step.chunks]


def test_v0_and_sglang_let_decodes_wait_for_prompts() -> None:
    for preset in ("vllm-v0", "sglang"):
        engine = Engine(preset)
        engine.add(8, 4)
        assert shape(engine.step()) == (0, [8])
        assert shape(engine.step()) == (1, [])
        engine.add(8, 4)
        assert shape(engine.step()) == (0, [8]), preset
        assert shape(engine.step()) == (2, [])


def test_v1_sarathi_and_orca_mix_prompts_with_decodes() -> None:
    for preset in ("vllm-0.15", "sarathi", "orca"):
        engine = Engine(preset)
        engine.add(8, 4)
        engine.step()
        engine.add(8, 4)
        assert shape(engine.step()) == (1, [8]), preset


def test_v0_never_cuts_a_prompt_and_stops_at_the_first_that_does_not_fit() -> None:
    engine = Engine("vllm-v0")
    for prompt in (40, 30, 8):
        engine.add(prompt, 2)
    assert shape(engine.step()) == (0, [40])
    assert shape(engine.step()) == (0, [30, 8])


def test_v0_keeps_its_watermark_free() -> None:
    engine = Engine("vllm-v0", blocks=9, watermark=0.25)
    engine.add(32, 2)
    assert engine.step().empty
    engine = Engine("vllm-v0", blocks=10, watermark=0.2)
    engine.add(32, 2)
    assert shape(engine.step()) == (0, [32])


def test_v0_preempts_where_no_block_is_free_though_none_is_needed() -> None:
    engine = Engine("vllm-v0", blocks=4, watermark=0.0)
    first, second = engine.add(7, 4), engine.add(7, 4)
    assert shape(engine.step()) == (0, [7, 7])
    step = engine.step()
    assert step.preempted == [second] and step.decodes == 1
    assert engine.batch.waiting.head() is second
    assert list(engine.batch.running) == [first]


def test_v0_swaps_out_and_in_without_computing_again() -> None:
    engine = Engine("vllm-v0", blocks=5, watermark=0.0, preemption_mode="swap")
    engine.batch.host_free = 10
    engine.add(7, 5)
    second = engine.add(7, 5)
    steps = list(engine.steps())
    assert sum(len(step.preempted) for step in steps) == sum(len(step.resumed) for step in steps) > 0
    assert [tokens for step in steps for tokens, _ in step.chunks] == [7, 7]
    assert second.emitted == 5 and second.preemptions > 0
    assert sum(step.decodes for step in steps) == 8
    assert (engine.batch.host_free, engine.batch.cache.free) == (10, 5)


def test_sarathi_serves_decodes_before_older_prompts_and_takes_all_their_blocks() -> None:
    engine = Engine("sarathi", max_num_batched_tokens=10)
    long, short = engine.add(25, 2), engine.add(3, 3)
    assert shape(engine.step()) == (0, [10])
    assert engine.batch.cache.free == 100 - 7
    assert shape(engine.step()) == (0, [10])
    assert shape(engine.step()) == (0, [5, 3])
    assert (long.emitted, short.emitted) == (0, 0)
    assert shape(engine.step()) == (2, [])


def test_orca_reserves_the_longest_request() -> None:
    engine = Engine("orca", blocks=40)
    for _ in range(3):
        engine.add(4, 3)
    assert shape(engine.step()) == (0, [4, 4])
    assert engine.batch.cache.free == 40 - 2 * 16
    list(engine.steps())
    assert engine.batch.cache.free == 40


def test_static_batching_waits_for_the_whole_batch() -> None:
    engine = Engine("static", max_num_seqs=2)
    for output in (2, 5, 2):
        engine.add(4, output)
    made = [shape(step) for step in engine.steps()]
    assert made == [(0, [4, 4]), (2, []), (1, []), (1, []), (1, []), (0, [4]), (1, [])]


def test_sglang_has_one_prompt_under_way_and_fills_its_batch_with_others() -> None:
    engine = Engine("sglang", block_size=1, max_num_batched_tokens=10, max_prefill_tokens=100)
    for prompt in (14, 3, 20):
        engine.add(prompt, 2)
    made = [shape(step) for step in engine.steps()]
    assert made == [(0, [10]), (0, [4, 3, 3]), (0, [10]), (0, [7]), (3, [])]


def test_sglang_mixes_decodes_into_prefill_batches_when_asked() -> None:
    engine = Engine("sglang", block_size=1, max_num_batched_tokens=10, enable_mixed_chunk=True)
    engine.add(4, 9)
    engine.step()
    engine.add(12, 2)
    assert [shape(engine.step()) for _ in range(2)] == [(1, [9]), (1, [3])]


def test_sglang_admits_by_expected_outputs_and_then_shuts_until_somebody_leaves() -> None:
    engine = Engine("sglang", blocks=40, block_size=1)
    engine.add(10, 20)
    engine.add(10, 2)
    engine.add(2, 1)
    assert shape(engine.step()) == (0, [10])  # the second: 10 + 2 + 1 is not under 30 − 20 − 1
    assert engine.batch.admission is not None and engine.batch.admission.shut
    made = [shape(step) for step in engine.steps()]
    assert made[:19] == [(1, [])] * 19
    assert made[19] == (0, [10, 2])


def test_sglang_expects_less_the_longer_nothing_goes_wrong() -> None:
    engine = Engine("sglang", max_model_len=1000, blocks=1000)
    engine.add(4, 700)
    engine.step()
    admission = engine.batch.admission
    assert admission is not None
    assert admission.expected(engine.batch.step) == 0.7
    for _ in range(300):
        engine.step()
    assert admission.expected(engine.batch.step) == pytest.approx(0.7 * (1 - 0.86 / 2))
    assert admission.expected(10_000) == pytest.approx(0.7 * 0.14)


def test_sglang_retracts_those_with_the_fewest_tokens_to_the_end_of_the_queue() -> None:
    engine = Engine("sglang", blocks=24, block_size=1, schedule_conservativeness=0.01)
    old = engine.add(6, 12)
    engine.step()
    young = engine.add(6, 9)
    retracted = [step for step in engine.steps() if step.preempted]
    assert [step.preempted for step in retracted] == [[young]]
    assert (old.preemptions, young.preemptions, young.emitted) == (0, 1, 9)


def test_a_release_before_033_queues_unhashed_blocks_with_the_others() -> None:
    for preset, hit in (("vllm-0.15", 4), ("vllm-0.33", 8)):
        engine = Engine(preset, blocks=4)
        for prompt, pieces in ((9, ((1, 8),)), (3, ()), (8, ())):
            engine.add(prompt, 1, pieces=pieces)
            engine.step()
        again = engine.add(9, 1, pieces=((1, 8),))
        engine.step()
        assert again.hit == hit, preset


def test_the_threshold_binds_a_lone_request_before_033_only() -> None:
    for preset, first in (("vllm-0.15", 5), ("vllm-0.33", 20)):
        engine = Engine(preset, long_prefill_token_threshold=5)
        engine.add(20, 1)
        assert shape(engine.step()) == (0, [first])


@pytest.mark.parametrize("preset", PRESETS)
def test_tokens_gaps_and_blocks_are_conserved(preset: str) -> None:
    """Each request gets its tokens, each token but the first a gap, and gaps last as long as answers."""
    for seed in range(20):
        made = case(seed, preset)
        result = simulate(made.scenario, load=made.load)
        columns = {name: result.requests.column(name).to_numpy() for name in result.requests.column_names}
        assert (columns["output_tokens"] == made.load.output_tokens).all(), (preset, seed)
        assert result.gaps is not None
        gaps = inter_token(*result.gaps[0])
        assert gaps.count() == int((made.load.output_tokens - 1).sum()), (preset, seed)
        answers = (columns["finish_s"] - columns["first_token_s"]).sum()
        assert float((gaps.seconds * gaps.weights).sum()) == pytest.approx(float(answers)), (preset, seed)


@pytest.mark.parametrize("preset", PRESETS)
def test_all_blocks_come_back(preset: str) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        engine = Engine(preset, blocks=int(rng.integers(20, 40)), max_num_batched_tokens=64)
        engine.batch.host_free = 1000
        for _ in range(12):
            engine.add(int(rng.integers(1, 30)), int(rng.integers(1, 30)), pieces=((1, 7),), output_segment=2)
        for number, step in enumerate(engine.steps()):
            assert number < 5000
            assert sum(tokens for tokens, _ in step.chunks) + step.decodes <= 64 + 4
            assert 0 <= engine.batch.cache.free <= engine.batch.cache.total
        assert engine.batch.cache.free == engine.batch.cache.total, preset
        assert engine.batch.decodes == engine.batch.context_sum == sum(engine.batch.due) == 0
