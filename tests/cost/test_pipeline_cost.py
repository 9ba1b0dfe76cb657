"""A step's time on the stages of a pipeline."""

from __future__ import annotations

import pytest
from specs import engine, served

from simulator.catalog import load
from simulator.cost import roofline
from simulator.cost.fixed import FixedCost
from simulator.cost.pipeline import Cycle, layers_of, split
from simulator.cost.work import Work
from simulator.scenario.resolved import Layout
from simulator.units import on_grid

H100 = load("accelerators", "h100-sxm")
WORKS = (Work(1, 500, (), 1), Work(200, 200_000, (), 200), Work(30, 9_000, ((2048, 0), (100, 900)), 31))


@pytest.mark.parametrize(
    ("layers", "stages", "each"),
    [
        (80, 4, [20, 20, 20, 20]),
        (61, 4, [15, 15, 16, 15]),
        (62, 4, [15, 16, 16, 15]),
        (63, 4, [16, 16, 16, 15]),
        (33, 2, [17, 16]),
    ],
)
def test_layers_are_cut_as_vllm_does(layers: int, stages: int, each: list[int]) -> None:
    """vllm/distributed/utils.py get_pp_indices, worked out by hand: first what divides, then one more for the
    last but one, the one before, …"""
    assert layers_of(layers, stages) == each


@pytest.mark.parametrize("stages", [2, 4])
@pytest.mark.parametrize("work", WORKS)
def test_the_stages_are_the_whole_step(stages: int, work: Work) -> None:
    """The parts add up to the price exactly; equal shares of the layers, the head on the last stage."""
    cost = roofline.build(served("llama-3.1-70b"), H100, Layout(4, stages), engine())
    assert isinstance(cost, roofline.Roofline)
    seconds = cost.price(work).seconds
    found = split(cost, stages)(work, seconds)
    assert found.host_s + sum(found.stages_s) == on_grid(seconds)
    assert found.host_s == on_grid(cost.overhead_s(work.decodes + len(work.chunks)))
    *others, last = found.stages_s
    assert others == pytest.approx([others[0]] * len(others), abs=1e-8)
    assert min(others) > 0 and last > 0
    cycle = Cycle(cost, stages).price(work)
    assert cycle.seconds == found.host_s + max(found.stages_s) < seconds
    assert (cycle.flops, cycle.bytes) == cost.price(work)[1:]


def test_a_hand_over_grows_with_the_tokens() -> None:
    """A stage of a long chunk sends hidden states of all its tokens: 2 bytes × 8192 each over the link."""
    cost = roofline.build(served("llama-3.1-70b"), H100, Layout(4, 2), engine())
    whole = roofline.build(served("llama-3.1-70b"), H100, Layout(4, 1), engine())
    work = Work(0, 0, ((8192, 0),), 1)
    more = cost.price(work).seconds - whole.price(work).seconds
    assert more == pytest.approx(10e-6 + 8192 * 8192 * 2 / (0.7 * H100.scaleup_bytes_per_s), rel=0.01)


def test_steps_of_a_given_length_are_cut_evenly() -> None:
    found = split(FixedCost(0.0625), 4)(WORKS[0], 0.0625)
    assert found.stages_s == (2.0**-6,) * 4 and found.host_s == 0.0
