"""Transfers that share a port: processor sharing, held to its closed forms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import simpy

from simulator.fleet.link import Flow, Network, Port

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


Made = tuple[float, float, float]
"""Bytes of a step's KV, when it starts and how long it takes."""


def _layerwise(
    transfers: list[list[Made]], layers: int, width: float, latency_s: float, by: str
) -> np.ndarray:
    """When each transfer through one port is through. by: "ramp", as the fleet does it, or "layer", in
    events of its own for every layer.
    """
    env = simpy.Environment()
    network, port = Network(env, latency_s), Port(width)
    ends = np.full(len(transfers), np.nan)
    for row, steps in enumerate(transfers):
        flow = Flow(row, (port,), lambda now, row=row: ends.__setitem__(row, now))
        for size, start, length in steps:
            last = (size, start, length) == steps[-1]
            if by == "ramp":
                _at(env, start, lambda f=flow, s=size, t=length, e=last: network.give(f, s, t, layers, e))
                continue
            for layer in range(1, layers + 1):
                made, done = start + length * layer / layers, last and layer == layers
                _at(env, made, lambda f=flow, s=size / layers, e=done: network.give(f, s, last=e))
    env.run()
    assert port.moved == pytest.approx(sum(size for steps in transfers for size, _, _ in steps))
    assert port.busy_s <= env.now
    return ends


def _at(env: simpy.Environment, when: float, do: Callable[[], None]) -> None:
    simpy.Timeout(env, when).callbacks.append(lambda _: do())


def _steps(rng: np.random.Generator, start: float) -> list[Made]:
    """Chunks of a prompt, one step after the other, some with a pause between."""
    steps: list[Made] = []
    for _ in range(int(rng.integers(1, 5))):
        start += float(rng.choice([0.0, 0.25]))
        length = float(rng.choice([0.25, 0.5, 1.0]))
        steps.append((float(rng.uniform(0.1, 3.0)), start, length))
        start += length
    return steps


@pytest.mark.parametrize("width", [0.5, 2.0, 5.0, 1000.0])
@pytest.mark.parametrize("seed", range(8))
def test_a_lone_layerwise_transfer_ends_as_layers_follow_each_other(seed: int, width: float) -> None:
    """F(layer) = max(F(layer before), layer made + latency) + its bytes / bandwidth, over all chunks."""
    layers, latency_s = 32, 0.125
    steps = _steps(np.random.default_rng(seed), 1.0)
    end = 0.0
    for size, start, length in steps:
        for layer in range(1, layers + 1):
            end = max(end, start + length * layer / layers + latency_s) + size / layers / width
    found = _layerwise([steps], layers, width, latency_s, "ramp")
    assert found[0] == pytest.approx(end, abs=1e-6)  # some steps of the time grid
    assert _layerwise([steps], layers, width, latency_s, "layer")[0] == pytest.approx(end, abs=1e-6)


def test_of_a_fast_link_only_the_last_layer_remains() -> None:
    steps = [(8.0, 0.0, 1.0), (8.0, 1.0, 1.0)]
    assert _layerwise([steps], 16, 100.0, 0.0, "ramp")[0] == pytest.approx(2.0 + 0.5 / 100, abs=1e-7)
    assert _layerwise([steps], 1, 100.0, 0.0, "ramp")[0] == pytest.approx(2.0 + 8.0 / 100, abs=1e-7)


@pytest.mark.parametrize("seed", range(20))
def test_shared_it_ends_as_layers_do_within_what_a_layer_takes(seed: int) -> None:
    """Against an event for every layer of every transfer, where each shares equally while it has bytes."""
    rng = np.random.default_rng(seed)
    layers = 64
    transfers = [_steps(rng, float(rng.uniform(0, 3))) for _ in range(int(rng.integers(2, 6)))]
    width = float(rng.choice([1.0, 4.0, 10.0, 40.0]))
    ramp, layer = (_layerwise(transfers, layers, width, 0.0, by) for by in ("ramp", "layer"))
    steps = [step for steps in transfers for step in steps]
    most = max(length for _, _, length in steps) / layers + sum(size for size, _, _ in steps) / layers / width
    assert np.abs(ramp - layer).max() <= most


def test_what_trickles_leaves_the_rest_of_the_port_to_others() -> None:
    """3 bytes a second are made, and 10 pass: 21 bytes beside get 7 a second, not half of 10."""
    ends = _layerwise([[(30.0, 0.0, 10.0)], [(21.0, 0.0, 0.0)]], 10_000, 10.0, 0.0, "ramp")
    assert ends[1] == pytest.approx(3.0, rel=1e-3)
    assert ends[0] == pytest.approx(10.0, rel=1e-3)


def test_who_cannot_keep_up_shares_like_everybody() -> None:
    """8 bytes a second against a share of 5: both get half, then the layers that wait go at full width."""
    ends = _layerwise([[(80.0, 0.0, 10.0)], [(20.0, 0.0, 0.0)]], 10_000, 10.0, 0.0, "ramp")
    assert ends[1] == pytest.approx(4.0, rel=1e-3)
    assert ends[0] == pytest.approx(10.0, rel=1e-3)  # 100 bytes in all, the port never idle


def test_weights_are_what_a_port_has_to_carry() -> None:
    """Half of the bytes through one port, twice as many through the other: the second is the slower."""
    env = simpy.Environment()
    network, ports, ends = Network(env, 0.0), (Port(10.0), Port(10.0)), []
    network.give(Flow(0, ports, ends.append, (0.5, 2.0)), 10.0, last=True)
    env.run()
    assert ends == pytest.approx([2.0], abs=1e-7)
    assert [port.moved for port in ports] == [5.0, 20.0]
