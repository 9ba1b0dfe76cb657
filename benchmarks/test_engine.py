"""How fast the engine runs, and that its cost grows with events only: `make bench`."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from loads import LOAD_PER_S, arrivals, bare_loop, scenario
from pytest_benchmark.fixture import BenchmarkFixture

from simulator.simulate import simulate

N = 20_000


def _seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def _best(function: Callable[[], object], times: int = 3) -> float:
    return min(_seconds(function) for _ in range(times))


def test_poisson(benchmark: BenchmarkFixture) -> None:
    spec, load = scenario(), arrivals(N, LOAD_PER_S)
    benchmark.pedantic(lambda: simulate(spec, load=load), rounds=3, warmup_rounds=1)
    benchmark.extra_info["requests"] = N
    benchmark.extra_info["output_tokens"] = int(load.output_tokens.sum())


def test_poisson_without_caching_and_ahead_planning(benchmark: BenchmarkFixture) -> None:
    spec, load = scenario(async_scheduling=False, enable_prefix_caching=False), arrivals(N, LOAD_PER_S)
    benchmark.pedantic(lambda: simulate(spec, load=load), rounds=3, warmup_rounds=1)


def test_bare_heap_loop(benchmark: BenchmarkFixture) -> None:
    benchmark.pedantic(bare_loop, rounds=3, warmup_rounds=1)


def test_defaults_cost_little() -> None:
    """Planning ahead and prefix caching together add less than a tenth to a run that shares nothing."""
    load = arrivals(N, LOAD_PER_S)
    off = scenario(async_scheduling=False, enable_prefix_caching=False)
    on = scenario()
    for spec in (off, on):
        simulate(spec, load=load)
    pairs = [
        (_seconds(lambda: simulate(on, load=load)), _seconds(lambda: simulate(off, load=load)))
        for _ in range(9)
    ]
    assert median(a / b for a, b in pairs) < 1.1, pairs


def test_cost_does_not_grow_with_the_batch() -> None:
    """64 times as many sequences in a batch: no more time a request, on a replica that is always full."""
    seconds = {}
    for seqs in (16, 64, 256, 1024):
        spec = scenario(replicas=1, step_s=0.01, max_num_seqs=seqs)
        load = arrivals(4000, 1e3)
        simulate(spec, load=load)
        seconds[seqs] = _best(lambda spec=spec, load=load: simulate(spec, load=load))
    assert max(seconds.values()) < 1.6 * seconds[16], seconds


def test_cost_does_not_grow_with_the_queue() -> None:
    """Overload at 3 times capacity: a request costs no more at the end of a long queue than of a short
    one.
    """
    seconds = {}
    for n in (4000, 16_000):
        spec, load = scenario(replicas=2, max_num_seqs=128), arrivals(n, 150.0)
        simulate(spec, load=load)
        seconds[n] = _best(lambda spec=spec, load=load: simulate(spec, load=load)) / n
    assert seconds[16_000] < 1.25 * seconds[4000], seconds
