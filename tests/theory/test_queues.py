"""A replica with steps of a fixed length is a queue with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
from runs import poisson, scenario

from simulator.simulate import simulate

N = 40_000
STEP_S = 0.01
Z = 3.3  # of a normal: one false alarm in a thousand


def _waits(rate: float, output: np.ndarray | int, *, is_async: bool, seed: int) -> np.ndarray:
    """Seconds in the queue of each request, one served at a time, output × STEP_S of service."""
    spec = scenario(step_s=STEP_S, max_num_seqs=1, async_scheduling=is_async, enable_prefix_caching=False)
    result = simulate(spec, load=poisson(rate, N, 8, output, seed))
    start = result.requests["finish_s"].to_numpy() - np.asarray(output) * STEP_S
    return start - result.requests["sent_s"].to_numpy()


def _agrees(waits: np.ndarray, theory: float) -> None:
    """The mean over 40 batches, the warm-up left out, holds the theory in its interval."""
    batches = waits[N // 10 :].reshape(40, -1).mean(axis=1)
    error = batches.std(ddof=1) / np.sqrt(len(batches))
    assert abs(batches.mean() - theory) < Z * error, (batches.mean(), theory, error)
    assert error < theory / 10, "the test has to be able to fail"


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
@pytest.mark.parametrize("is_async", [False, True])
def test_one_token_answers_make_an_m_d_1_queue(load: float, is_async: bool) -> None:
    """W = ρ D / (2 (1 − ρ)) (Pollaczek and Khinchine)."""
    waits = _waits(load / STEP_S, 1, is_async=is_async, seed=3)
    _agrees(waits, load * STEP_S / (2 * (1 - load)))


@pytest.mark.parametrize("load", [0.4, 0.7])
@pytest.mark.parametrize("is_async", [False, True])
def test_answers_of_random_length_make_an_m_g_1_queue(load: float, is_async: bool) -> None:
    """W = λ E[S²] / (2 (1 − ρ)), S = output tokens × step."""
    output = np.random.default_rng(5).geometric(1 / 20, N)
    service = output * STEP_S
    rate = load / service.mean()
    waits = _waits(rate, output, is_async=is_async, seed=4)
    _agrees(waits, rate * (service**2).mean() / (2 * (1 - load)))


def test_many_at_once_wait_for_the_step_that_runs() -> None:
    """With slots for all, a request waits for the end of the step under way: uniform over it when steps
    never stop.
    """
    spec = scenario(step_s=STEP_S, max_num_seqs=4096, async_scheduling=False, enable_prefix_caching=False)
    result = simulate(spec, load=poisson(200, 20_000, 8, 50))
    queue = result.requests["queue_s"].to_numpy()[2_000:]
    assert queue.max() <= STEP_S + 1e-8
    assert queue.mean() == pytest.approx(STEP_S / 2, rel=0.02)
    assert result.requests["tpot_s"].to_numpy() == pytest.approx(STEP_S, abs=1e-8)


def test_asynchronous_scheduling_adds_one_step_of_waiting_for_the_first_token() -> None:
    """A request that arrives while a step runs finds the next one planned already: one more to wait for
    (R71).
    """
    load = poisson(200, 20_000, 8, 50)
    first = {}
    for is_async in (False, True):
        spec = scenario(
            step_s=STEP_S, max_num_seqs=4096, async_scheduling=is_async, enable_prefix_caching=False
        )
        first[is_async] = simulate(spec, load=load).requests["ttft_s"].to_numpy()[2_000:].mean()
    assert first[True] - first[False] == pytest.approx(STEP_S, rel=0.02)
