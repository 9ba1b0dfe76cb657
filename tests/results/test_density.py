"""Steps under the roof: in the right cell, every second of them, whatever the order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_engine import FakeRun

from simulator import arrow
from simulator.results.curves import SHARES, curves, document
from simulator.results.density import CELLS, NAMES, Density
from simulator.results.gaps import Weighted
from simulator.results.sample import views
from simulator.results.statistics import describe
from simulator.results.summary import summarise
from simulator.results.timeline import ReplicaFacts
from simulator.units import GRID_S

REPLICAS = [ReplicaFacts(name, pool, 1, 1e15, 1e12, 100) for name, pool in (("a/0", "a"), ("b/0", "b"))]


def rows(*steps: tuple[float, ...]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """(replica, decodes, chunks, flops, bytes, grid units) of each run of steps."""
    columns = np.array(steps, dtype=float).T
    names = ("replica", "decodes", "chunks", "flops", "bytes")
    return dict(zip(names, columns[:5], strict=True)), columns[5]


def test_a_step_lies_in_the_cell_of_its_intensity_and_rate() -> None:
    found = Density(REPLICAS)
    second = 1 / GRID_S
    found.add(*rows((0, 0, 1, 3e12, 1e10, second), (1, 8, 0, 2e11, 1e11, second / 2)))
    table = found.table(3).to_pylist()
    assert [(row["pool"], row["kind"], row["replication"]) for row in table] == [
        ("a", "prefill", 3),
        ("b", "decode", 3),
    ]
    width = 10 ** (1 / CELLS)
    for row, intensity, rate in zip(table, (300.0, 2.0), (3e12, 4e11), strict=True):
        assert row["intensity"] <= intensity < row["intensity"] * width
        assert row["flops_per_s"] <= rate < row["flops_per_s"] * width
    assert [row["seconds"] for row in table] == [1.0, 0.5]


def test_steps_of_given_times_have_no_place() -> None:
    found = Density(REPLICAS)
    found.add(*rows((0, 1, 0, 0, 0, 100)))
    assert found.table(0).num_rows == 0


step = st.tuples(
    st.integers(0, 1), st.integers(0, 3), st.integers(0, 2), st.floats(1, 1e18), st.floats(1, 1e15),
    st.integers(1, 2**40),
)  # fmt: skip


@given(st.lists(step, min_size=1, max_size=40), st.integers(0, 40))
def test_the_order_and_the_batches_do_not_matter(steps: list[tuple[float, ...]], cut: int) -> None:
    one, other = Density(REPLICAS), Density(REPLICAS)
    one.add(*rows(*steps))
    for part in (steps[cut:], steps[:cut]):
        if part:
            other.add(*rows(*part[::-1]))
    assert one.table(0).equals(other.table(0))
    spent = sum(units for *_, units in steps) * GRID_S
    assert arrow.values(one.table(0)["seconds"]).sum() == pytest.approx(spent)
    assert set(one.table(0)["kind"].to_pylist()) <= set(NAMES)


def test_curves_go_through_the_percentiles(fake_run: FakeRun) -> None:
    run = fake_run(rate=9.0, n=300)
    (view,) = views(run)
    sample = view.sample(0.0, gaps=view.token_gaps(0.0))
    found = curves(sample)
    assert isinstance(sample.gaps, Weighted)
    for name, values in (("ttft_s", sample.of_finished("ttft_s")), ("itl_s", sample.gaps)):
        known = describe(values)
        for key, share in (("min", 0.0), ("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)):
            assert found[name][SHARES.index(share)] == pytest.approx(known[key])


def test_a_distribution_is_the_mean_of_replications_and_refused_with_its_percentiles() -> None:
    one, none = np.arange(len(SHARES), dtype=float), np.full(len(SHARES), np.nan)
    parts = [dict.fromkeys(("ttft_s", "tpot_s", "itl_s", "e2e_s"), value) for value in (one, one + 2, none)]
    found = document(parts, "")
    assert found["tpot_s"] == (one + 1).tolist()
    refused = document(parts, "the queue grows")
    assert refused["ttft_s"] is refused["e2e_s"] is None
    assert refused["tpot_s"] == found["tpot_s"]


def test_the_summary_has_them(fake_run: FakeRun) -> None:
    summary = summarise(fake_run(rate=9.0, n=300))
    found = summary["distributions"]
    assert found["ttft_s"][found["shares"].index(0.5)] == summary["metrics"]["ttft_s"]["p50"]
