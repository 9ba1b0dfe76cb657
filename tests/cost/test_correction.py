"""The nearest-neighbour correction: exact on a plane, silent far away, and never a row's own witness."""

from __future__ import annotations

import numpy as np
import pytest
from specs import cost

from simulator.catalog import fits, load, pool
from simulator.cost import correction, efficiency, ops
from simulator.cost.correction import Residuals
from simulator.cost.curves import Curves
from simulator.cost.work import Work
from simulator.scenario.resolved import Layout


def grid(values: object = None) -> Residuals:
    points = np.array([(x, y) for x in range(8) for y in range(8)], dtype=float)
    found = 0.02 * points[:, 0] - 0.01 * points[:, 1] if values is None else np.asarray(values)
    return Residuals(points, found, points)


def test_a_plane_of_residuals_is_followed() -> None:
    at = np.array([[3.4, 4.6], [2.5, 2.5]])
    expected = np.exp(0.02 * at[:, 0] - 0.01 * at[:, 1])
    assert correction.factors(grid(), at) == pytest.approx(expected, abs=2e-3)


def test_the_factor_fades_with_distance() -> None:
    near = grid(np.full(64, 0.5))
    at = np.array([[7.0, 7.0], [8.5, 7.0], [9.5, 7.0], [20.0, 7.0]])
    found = correction.factors(near, at)
    assert found[0] == pytest.approx(np.exp(0.5))
    assert found[0] > found[1] > found[2] > 1.0
    assert found[3] == 1.0


def test_a_row_does_not_correct_itself() -> None:
    values = np.zeros(64)
    values[27] = 1.0
    near, own = grid(values), np.array([[3.0, 3.0]])
    assert correction.factors(near, own)[0] > 1.2
    assert correction.factors(near, own, leave_out=own)[0] == pytest.approx(1.0, abs=1e-9)


def test_the_factor_stays_within_its_neighbours() -> None:
    rng = np.random.Generator(np.random.PCG64(5))
    near = Residuals(rng.normal(size=(50, 3)), rng.normal(size=50) * 0.3, rng.normal(size=(50, 3)))
    found = np.log(correction.factors(near, rng.normal(size=(200, 3))))
    assert found.min() >= near.values.min() and found.max() <= near.values.max()


def test_shipped_rows_are_those_of_a_fit_and_are_small() -> None:
    total = sum(path.stat().st_size for path in (fits.DATA / "measured.npz",))
    assert total <= 1 << 20
    for op, accelerator, dtype in (
        ("gemm", "h100-sxm", "fp8"),
        ("moe", "b200", "bf16"),
        ("attention_decode", "a100-sxm-80", "bf16"),
    ):
        measured = pool.rows(op, accelerator, "vllm", dtype)
        assert measured is not None and len(measured.seconds) > 800
        assert set(pool.COLUMNS[op]) <= set(measured.columns)
        assert measured.seconds.min() > 1e-6 and measured.seconds.max() < 10
    assert pool.rows("gemm", "mi300x", "vllm", "bf16") is None


def test_curves_are_near_the_correction_itself_at_their_grid() -> None:
    hardware = load("accelerators", "h100-sxm")
    rate = efficiency.rate("gemm", hardware, "bf16")
    assert rate.fit is not None
    near, curves = correction.residuals("gemm", "h100-sxm", "vllm", "bf16"), Curves()
    assert near is not None
    for m in (64, 512, 2048, 4096):
        op = ops.gemm("x", m, (6144, 4096), 2, 2)
        exact = correction.factors(near, correction.coordinates("gemm", np.array([op.shape])))[0]
        assert curves.factor(op, rate.fit) == pytest.approx(exact, rel=1e-9)
        between = curves.factor(ops.gemm("x", m + 20, (6144, 4096), 2, 2), rate.fit)
        assert 0.7 < between < 1.4


def test_without_measured_rows_or_when_told_nothing_is_corrected() -> None:
    work = Work(4, 4000, ((300, 0),), 5)
    assert cost(accelerator="mi300x").price(work) == cost(accelerator="mi300x", correction="none").price(work)
    assert cost().price(work) != cost(correction="none").price(work)
    assert all("measured rows near" not in row.source for row in cost(correction="none").explain(work))
    assert any("measured rows near" in row.source for row in cost().explain(work))


def test_a_chunk_after_much_context_keeps_little_of_the_factor() -> None:
    model, plain = cost(), cost(correction="none")
    ratios = []
    for context in (0, 100_000):
        rows = zip(
            model.explain(Work(0, 0, ((64, context),), 1)), plain.explain(Work(0, 0, ((64, context),), 1))
        )
        ratios += [a.seconds / b.seconds for a, b in rows if a.name == "attention_prefill"]
    assert abs(ratios[1] - 1) < 0.01 < abs(ratios[0] - 1)


@pytest.mark.parametrize(
    ("name", "gpus", "concurrency", "context", "tpot_ms"),
    [
        ("llama-2-7b", 1, 9, 671, 7.2),
        ("codellama-34b", 2, 18, 671, 14.4),
        ("llama-2-70b", 4, 22, 671, 17.2),
        ("llama-2-70b", 4, 112, 671, 22.0),
    ],
)
def test_whole_steps_against_measured_servers(
    name: str, gpus: int, concurrency: int, context: int, tpot_ms: float
) -> None:
    """vLLM on H100 SXM, February 2026 (inference-sim/training ed5c1d26): time per output token at a mean
    concurrency."""
    model = cost(name, layout=Layout(gpus), max_num_seqs=128, max_num_batched_tokens=2048, max_model_len=4096)
    step = model.price(Work(concurrency, concurrency * context, (), concurrency)).seconds * 1e3
    assert step == pytest.approx(tpot_ms, rel=0.12)
