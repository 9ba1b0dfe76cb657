"""Measured rows that are no time of their kernel."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.catalog import pool
from simulator.study.stray_rows import stray

SHAPES = np.array([(m, n, heads) for m in (1, 2, 4, 8) for n in (16, 32, 64) for heads in (4, 8)]).T


@given(st.integers(0, SHAPES.shape[1] - 1), st.floats(60.0, 500.0))
def test_one_far_above_all_around_it_is_stray_and_nobody_else(at: int, times: float) -> None:
    seconds = 1e-5 * SHAPES.prod(axis=0) ** 0.25
    seconds[at] *= times
    np.testing.assert_array_equal(stray(SHAPES, seconds), np.arange(len(seconds)) == at)


def test_a_slow_kernel_is_none() -> None:
    """Where several neighbours are slow, that is how the kernel is."""
    seconds = np.where(SHAPES[1] >= 32, 1e-3, 1e-5)
    assert not stray(SHAPES, seconds).any()


def test_the_shipped_rows_of_latent_attention_hold_none() -> None:
    for op in ("mla_prefill", "mla_decode"):
        for accelerator in ("h100-sxm", "h200-sxm", "rtx-pro-6000-server", "b200"):
            found = pool.rows(op, accelerator, "trtllm", "bf16")
            assert found is not None
            assert not stray(np.array(list(found.columns.values())), found.seconds).any()
