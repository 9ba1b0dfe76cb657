"""Writes docs/performance.md: `make performance`. A row is the best of three processes of its own."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.scenario.resolved import Resolved
    from simulator.workload.columns import Workload

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
TIMES = 3


def poisson(n: int = 20_000) -> dict[str, float]:
    from loads import LOAD_PER_S, arrivals, scenario

    return measured(scenario(), arrivals(n, LOAD_PER_S))


def million() -> dict[str, float]:
    return poisson(1_000_000)


def plain() -> dict[str, float]:
    from loads import LOAD_PER_S, arrivals, scenario

    spec = scenario(async_scheduling=False, enable_prefix_caching=False)
    return measured(spec, arrivals(20_000, LOAD_PER_S))


def large() -> dict[str, float]:
    from loads import LOAD_PER_S, arrivals, scenario

    return measured(scenario(256, "least_requests"), arrivals(500_000, LOAD_PER_S * 256 / 8))


def overload(n: int) -> dict[str, float]:
    from loads import arrivals, scenario

    return measured(scenario(replicas=2, max_num_seqs=128), arrivals(n, 150.0))


def batch(seqs: int) -> dict[str, float]:
    from loads import arrivals, scenario

    return measured(scenario(replicas=1, step_s=0.01, max_num_seqs=seqs), arrivals(4000, 1e3))


def routing(router: str, replicas: int) -> dict[str, float]:
    from loads import arrivals, scenario

    return measured(
        scenario(replicas, router, step_s=0.01, max_num_seqs=64), arrivals(20_000, 2.0 * replicas)
    )


def disaggregated() -> dict[str, float]:
    from loads import LOAD_PER_S, arrivals, scenario

    from simulator.catalog import load
    from simulator.scenario.resolved import TransferSpec

    base = scenario(router="least_tokens")
    pool = base.fleet.pools[0]
    pools = tuple(replace(pool, name=role, role=role, replicas=4) for role in ("prefill", "decode"))
    fleet = replace(base.fleet, pools=pools, transfer=TransferSpec("nixl", load("links", "ib-400")))
    return measured(replace(base, fleet=fleet), arrivals(20_000, LOAD_PER_S))


def mooncake() -> dict[str, float]:
    from simulator.scenario.load import load
    from simulator.workload.build import build

    spec = load(ROOT / "scenarios" / "mooncake-conversation.yaml", [])
    return measured(spec, build(spec.workload, spec.seed, 0, 131_072))


def measured(spec: Resolved, load: Workload) -> dict[str, float]:
    """CPU seconds of one simulation, its tables and checks included; the model's tables are built before."""
    from simulator.simulate import simulate

    simulate(spec, load=load.slice(slice(0, 500)))
    start = time.process_time()
    simulate(spec, load=load)
    seconds = time.process_time() - start
    tokens = int(load.output_tokens.sum())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"requests": len(load), "tokens": tokens, "cpu_s": seconds, "rss_mb": peak}


CASES: dict[str, Callable[..., dict[str, float]]] = {
    function.__name__: function
    for function in (poisson, plain, million, large, disaggregated, mooncake, overload, batch, routing)
}


def best(name: str, *values: int | str, times: int = TIMES) -> dict[str, float]:
    """The fastest of several processes."""
    command = [sys.executable, __file__, name, *map(str, values)]
    runs = [
        json.loads(subprocess.run(command, check=True, capture_output=True, env=_env()).stdout)
        for _ in range(times)
    ]
    return min(runs, key=lambda run: run["cpu_s"])


def command_s(*arguments: str, times: int = TIMES) -> float:
    """Wall seconds of a `sim` command from start to prompt; the fastest."""
    sim = Path(sys.executable).with_name("sim")
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run([str(sim), *arguments], check=True, capture_output=True, cwd=ROOT)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}"}


def _row(what: str, run: dict[str, float]) -> str:
    per_request = 1e6 * run["cpu_s"] / run["requests"]
    rate, tokens = run["requests"] / run["cpu_s"], run["tokens"] / run["cpu_s"]
    return (
        f"| {what} | {run['requests']:,.0f} | {run['cpu_s']:.2f} | {rate:,.0f} | {tokens / 1e6:,.2f} M | "
        f"{per_request:.0f} | {run['rss_mb']:,.0f} |"
    )


HEAD = (
    "| run | requests | CPU s | requests per CPU s | output tokens per CPU s | µs a request "
    "| peak RSS, MB |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def page() -> str:
    print("measuring; about ten minutes", file=sys.stderr)
    whole = [
        _row(
            "Poisson arrivals, prompts of 1,000, answers of 200 tokens, 8 replicas at 60 % load",
            best("poisson"),
        ),
        _row("the same without asynchronous scheduling and prefix caching", best("plain")),
        _row("the same as 4 prefill and 4 decode replicas", best("disaggregated")),
        _row("Mooncake conversation hour, 4 replicas, block size 16, prefix caching", best("mooncake")),
        _row("a million requests of the first kind", best("million", times=1)),
        _row("256 replicas at the same load each, by least requests", best("large", times=1)),
    ]
    batches = [_row(f"max_num_seqs {seqs:,}", best("batch", seqs)) for seqs in (16, 64, 256, 1024)]
    queues = [
        _row(f"{n:,} requests at 3 times capacity", best("overload", n)) for n in (4000, 16_000, 64_000)
    ]
    routers = [
        _row(f"{router}, {replicas:,} replicas", best("routing", router, replicas, times=1))
        for router in ("round_robin", "least_requests", "power_of_two", "prefix_aware")
        for replicas in (8, 64, 512, 1024)
    ]
    azure, helped = command_s("run", "scenarios/azure-conversation.yaml"), command_s("--help", times=10)
    return f"""# Performance

Written by `make performance` (benchmarks/performance.py), on one core of
{platform.processor() or platform.machine()} with Python {platform.python_version()}.
A row is the best of {TIMES} processes (one for the million, the 256 replicas and for routers).
CPU seconds are of one simulation with its tables and checks, without start-up and reading.
`make bench` holds the ratios: growth with batch and queue.

{HEAD}
{chr(10).join(whole)}

From command to prompt, start-up and run folder included: `sim run scenarios/azure-conversation.yaml`
(19,366 requests) {azure:.2f} s; `sim --help` {1000 * helped:.0f} ms.

## It does not grow with the batch

One replica with steps of 10 ms, always full. A bigger batch needs fewer steps.

{HEAD}
{chr(10).join(batches)}

## Nor with the queue

Two replicas, 128 sequences each.

{HEAD}
{chr(10).join(queues)}

## Routing

20,000 requests at the same load per replica. With more replicas a request meets smaller batches, so more
engine steps are its own: round robin, which looks at no replica, shows how much that is.

{HEAD}
{chr(10).join(routers)}
"""


def main() -> None:
    if len(sys.argv) > 1:
        name, *values = sys.argv[1:]
        arguments = [int(value) if value.isdigit() else value for value in values]
        print(json.dumps(CASES[name](*arguments)))
    else:
        PAGE.write_text(page())


if __name__ == "__main__":
    main()
