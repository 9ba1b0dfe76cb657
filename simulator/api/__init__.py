"""The simulator for notebooks and programs: the same scenarios, results and bytes as the command line.

    from simulator import Scenario, run, compare

    rag = Scenario.load("scenarios/rag.yaml")
    result = run(rag)
    result.requests                     # a pandas DataFrame, a row a request
    compare(rag, rag.with_set("fleet.pools.serve.replicas", 8).with_set("name", "eight"))

Times are seconds, sizes bytes, lengths tokens, unless a name says otherwise. Bad input raises InputError with
every fault at once.
"""

from simulator.api.comparing import Comparison, compare
from simulator.api.requests import Workload
from simulator.api.running import Result, run
from simulator.api.scenarios import Scenario
from simulator.errors import InputError

__all__ = ["Comparison", "InputError", "Result", "Scenario", "Workload", "compare", "run"]
