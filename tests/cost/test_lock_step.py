"""Ranks in lock step: equal ones cost what one does, the slowest sets the pace, work is counted once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from specs import cost

from simulator.cost.data_parallel import DataParallel
from simulator.cost.lock_step import DUMMY, LockStep
from simulator.cost.work import Work
from simulator.scenario.resolved import Layout

RANKS = 4


def together(**changes: Any) -> LockStep:
    found = cost("qwen3-30b-a3b", layout=Layout(1, 1, RANKS, True), **changes)
    assert isinstance(found, DataParallel)
    return found.together


@st.composite
def works(draw: st.DrawFn) -> Work:
    decodes = draw(st.integers(0, 400))
    chunks = draw(st.lists(st.tuples(st.integers(1, 3000), st.integers(0, 8000)), max_size=3))
    if not decodes and not chunks:
        return DUMMY
    return Work(decodes, decodes * draw(st.integers(1, 3000)), tuple(chunks), decodes + len(chunks))


@settings(max_examples=50)
@given(work=works())
def test_equal_ranks_cost_exactly_what_one_does(work: Work) -> None:
    model = together()
    assert model.price([work] * RANKS) == [model.rank.price(work)] * RANKS


@settings(max_examples=60)
@given(of=st.lists(works(), min_size=RANKS, max_size=RANKS))
def test_ranks_share_their_seconds_whatever_their_order(of: list[Work]) -> None:
    model = together()
    prices = model.price(of)
    assert len({price.seconds for price in prices}) == 1
    turned = model.price(of[1:] + of[:1])
    assert turned[-1].seconds == pytest.approx(prices[0].seconds, rel=1e-12)
    assert [price.flops for price in turned] == [price.flops for price in prices[1:] + prices[:1]]


@settings(max_examples=60)
@given(of=st.lists(works(), min_size=RANKS, max_size=RANKS))
def test_a_step_holds_every_ranks_own_part_and_the_experts_of_all(of: list[Work]) -> None:
    """Without graphs; FLOPs are a rank's own, whoever computes them."""
    model = together(enforce_eager=True)
    tokens = [work.decodes + sum(size for size, _ in work.chunks) for work in of]
    prices, shared = model.price(of), model.rank.tokens.shared
    alone = [model.rank.price(work) for work in of]
    own = max(price.seconds - shared(count, count)[0] for price, count in zip(alone, tokens))
    experts = shared(-(-sum(tokens) // RANKS), max(tokens))[0]
    assert prices[0].seconds >= (own + experts) * (1 - 1e-12)
    assert [price.flops for price in prices] == [price.flops for price in alone]


def test_experts_wait_for_all_tokens_that_there_are() -> None:
    """Without graphs one busy rank of four pays its own attention and the experts of a quarter as many."""
    model = together(enforce_eager=True)
    chunk = Work(0, 0, ((4096, 0),), 1)
    all_busy, one_busy = model.price([chunk] * RANKS)[0], model.price([chunk, DUMMY, DUMMY, DUMMY])[0]
    shared = model.rank.tokens.shared(4096, 4096)[0]
    experts = model.rank.tokens.shared(1025, 4096)[0]
    assert one_busy.seconds == pytest.approx(all_busy.seconds - shared + experts, rel=1e-12)


def test_a_graph_holds_all_ranks_at_the_size_of_the_largest() -> None:
    model = together()
    large, small = Work(256, 256 * 500, (), 256), Work(8, 8 * 500, (), 8)
    step = model.price([large, small, small, small])
    assert step[0].seconds == model.rank.price(large).seconds
    assert step[1].bytes > 1.2 * model.rank.price(small).bytes
