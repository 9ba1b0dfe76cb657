from __future__ import annotations

import numpy as np
import pytest

from simulator.rng import stream
from simulator.workload.arrivals import arrival_times, normalised, unit_gaps
from simulator.workload.spec import Arrivals


def gaps(kind: str, burstiness: float = 1.0, n: int = 200_000) -> np.ndarray:
    return unit_gaps(Arrivals(kind, burstiness=burstiness), n, stream(7, "arrivals", 0))


@pytest.mark.parametrize(
    ("kind", "burstiness", "cv"),
    [("poisson", 1.0, 1.0), ("gamma", 0.25, 2.0), ("gamma", 4.0, 0.5), ("constant", 1.0, 0.0)],
)
def test_gaps_have_mean_one_and_the_cv_asked_for(kind: str, burstiness: float, cv: float) -> None:
    drawn = gaps(kind, burstiness)
    standard_error = cv / np.sqrt(len(drawn))
    assert abs(drawn.mean() - 1) <= 4 * standard_error + 1e-12
    assert drawn.std() == pytest.approx(cv, abs=0.02)


def test_twice_the_rate_is_the_same_pattern_in_half_the_time() -> None:
    slow = arrival_times(Arrivals("poisson"), 100, 1.0, stream(7, "arrivals", 0))
    fast = arrival_times(Arrivals("poisson"), 100, 2.0, stream(7, "arrivals", 0))
    np.testing.assert_allclose(fast, slow / 2, rtol=1e-12)


def test_more_requests_begin_like_fewer() -> None:
    for kind in ("poisson", "gamma"):
        np.testing.assert_array_equal(gaps(kind, 0.5, 100), gaps(kind, 0.5, 200)[:100])


# Send times of `vllm bench serve` at 009e6d4a after numpy.random.seed(0), rate 2, 5 requests, by burstiness.
VLLM = {
    0.5: [0.393205, 0.882472, 1.114621, 1.362290, 2.500000],
    1.0: [0.461293, 1.189238, 1.724343, 2.180609, 2.500000],
}


@pytest.mark.parametrize("burstiness", VLLM)
def test_normalised_gaps_are_vllms(burstiness: float) -> None:
    drawn = np.random.RandomState(0).gamma(burstiness, 1 / (2 * burstiness), 5)
    np.testing.assert_allclose(np.cumsum(normalised(drawn, 2.0)), VLLM[burstiness], atol=5e-7)


def test_normalised_arrivals_end_at_requests_over_rate() -> None:
    times = arrival_times(
        Arrivals("gamma", burstiness=0.3, normalise=True), 500, 4.0, stream(1, "arrivals", 0)
    )
    assert times[-1] == pytest.approx(125.0, rel=1e-12)
