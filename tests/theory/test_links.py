"""Transfers that share a port: processor sharing, held to its closed forms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import simpy

from simulator.fleet.link import Network, Port

Z = 3.3


def _times(
    sizes: np.ndarray, starts: np.ndarray, ports: Callable[[int], tuple[Port, ...]], latency_s: float
) -> np.ndarray:
    """When each transfer is through."""
    env = simpy.Environment()
    network = Network(env, latency_s)
    ends = np.full(len(sizes), np.nan)

    def arrived(row: int) -> Callable[[float], None]:
        return lambda now: ends.__setitem__(row, now)

    for row, (size, start) in enumerate(zip(sizes, starts, strict=True)):
        event = simpy.Timeout(env, start)
        event.callbacks.append(
            lambda _, row=row, size=size: network.send(row, float(size), ports(row), arrived(row))
        )
    env.run()
    return ends


def test_alone_a_transfer_takes_latency_and_size_over_bandwidth() -> None:
    port = Port(50e9)
    ends = _times(np.array([1e9]), np.array([1.0]), lambda row: (port,), 20e-6)
    assert ends[0] == pytest.approx(1.0 + 20e-6 + 0.02, abs=1e-8)
    assert port.busy_s == pytest.approx(0.02, abs=1e-8)


def test_two_share_and_the_second_speeds_up_when_the_first_is_through() -> None:
    """1 and 3 bytes at 1 byte/s from the same instant: the first ends at 2 s, the second at 4 s."""
    port = Port(1.0)
    ends = _times(np.array([1.0, 3.0]), np.zeros(2), lambda row: (port,), 0.0)
    assert ends == pytest.approx([2.0, 4.0], abs=1e-7)


def test_a_transfer_runs_at_the_smaller_of_its_two_shares() -> None:
    """Two readers of one sender at 10 bytes/s each way, one of them with another sender besides."""
    sender, other, reader, second = Port(10.0), Port(10.0), Port(10.0), Port(10.0)
    ways = [(sender, reader), (sender, second), (other, second)]
    ends = _times(np.array([10.0, 10.0, 10.0]), np.zeros(3), lambda row: ways[row], 0.0)
    assert ends == pytest.approx([2.0, 2.0, 2.0], abs=1e-6)


@pytest.mark.parametrize("load", [0.3, 0.7])
@pytest.mark.parametrize("law", ["exponential", "pareto"])
def test_processor_sharing_is_insensitive_to_the_sizes_law(load: float, law: str) -> None:
    """M/G/1 with processor sharing: E[T] = E[S] / (1 − ρ), whatever the distribution of sizes."""
    rng = np.random.default_rng(11)
    n = 30_000
    sizes = rng.exponential(1.0, n) if law == "exponential" else (1 + rng.pareto(2.5, n)) * (1.5 / 2.5)
    starts = np.cumsum(rng.exponential(1.0 / load, n))
    port = Port(1.0)
    times = _times(sizes, starts, lambda row: (port,), 0.0) - starts
    batches = times[n // 10 :].reshape(30, -1).mean(axis=1)
    error = batches.std(ddof=1) / np.sqrt(len(batches))
    theory = sizes.mean() / (1 - load)
    assert abs(batches.mean() - theory) < Z * error
    assert error < theory / 8
