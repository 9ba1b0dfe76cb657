"""Runs to export: handed over between pools, preempting, cut off by the end of the run, and without steps."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from simulator.results.folder import folder_of, save
from simulator.results.summary import summarise
from simulator.scenario.load import load
from simulator.study.replicate import How, replicate

SCENARIOS = Path(__file__).parents[1] / "scenarios"
SMALL = ("workload.synthetic.requests=300", "run.warmup=0")
TIGHT = (
    "fleet.pools.serve.replicas=1",
    "fleet.pools.serve.engine.num_gpu_blocks_override=1600",
    "fleet.pools.serve.engine.max_model_len=16384",
    "workload.over_limit=drop",
)
HANDED = ("workload.limit=100", "run.warmup=0")

RUNS = {
    "plain": ("poisson", SMALL, True),
    "handed": ("rag-disaggregated", ("workload.limit=200", "run.warmup=0"), True),
    "early": ("rag-disaggregated", (*HANDED, "fleet.transfer.connector=distserve"), True),
    "relayed": ("rag-disaggregated", (*HANDED, "fleet.transfer.connector=sglang"), True),
    "preempting": ("poisson", (*SMALL, *TIGHT), True),
    "cut": ("poisson", (*SMALL, "run.duration=2 s"), True),
    "fewer": ("poisson", (*SMALL, "fleet.pools.serve.replicas=2"), False),
    "nothing": ("poisson", (*SMALL, "run.duration=5 ms"), True),
    "stepless": ("poisson", (*SMALL, "run.replications=2"), False),
}


@cache
def folder(name: str) -> Path:
    """The run folder of one of RUNS."""
    scenario, sets, steps = RUNS[name]
    resolved = load(SCENARIOS / f"{scenario}.yaml", sets)
    run = replicate(resolved, 1, How(steps, False))
    return save(run, summarise(run), folder_of(run, Path(mkdtemp())))
