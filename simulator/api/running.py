"""`run`: a scenario's result, as frames, tables and documents."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.api import page
from simulator.api.scenarios import Scenario, scenario
from simulator.errors import InputError, Problem, unknown

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from simulator.results.run import RunResult

TABLES = ("requests", "timeline", "steps")


def run(
    source: Scenario | str | os.PathLike[str] | Mapping[str, Any],
    *,
    replications: int | None = None,
    steps: bool = False,
    workers: int | None = None,
) -> Result:
    """Simulates a scenario, or the one in a file or mapping; what `sim run` computes, byte for byte.

    replications: as `run.replications` (default: the scenario's own); steps: keep a row a step; workers:
    processes for several replications, on which the result does not depend (default: the cores in a
    notebook, one in a script, whose module they would run again). Raises InputError for what cannot work.
    Interrupted, it gives what there is, with `complete` False.
    """
    from simulator.study.replicate import How, replicate

    asked = scenario(source)
    if replications is not None:
        asked = asked.with_set("run.replications", replications)
    return Result(replicate(asked.resolved, processes(workers), How(steps)), asked)


def processes(workers: int | None) -> int:
    """How many to use. A script that spawns some without a __main__ guard would run itself again in each."""
    from simulator.study.parallel import cores

    if workers is not None:
        return workers
    return 1 if hasattr(sys.modules["__main__"], "__file__") else cores()


class Result:
    """What came out of a run.

    scenario: what was run; summary: everything that summary.json holds, of which `metrics` is a table.
    requests, timeline and steps are pandas DataFrames, made when first asked for; `table` has them in Arrow.
    """

    def __init__(self, found: RunResult, scenario: Scenario) -> None:
        self._run = found
        self.scenario = scenario

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Every metric with unit, definition, interval and samples; verdict, warm-up, saturation, pools,
        provenance: the document that summary.json is. Absent figures are None.
        """
        from simulator.results.summary import summarise

        return summarise(self._run)

    @property
    def verdict(self) -> str:
        """Whether it meets the SLO, in a sentence."""
        return str(self.summary["verdict"]["sentence"])

    @property
    def met(self) -> bool | None:
        """Whether it meets the SLO; None: there is none, or it cannot be told."""
        found: bool | None = self.summary["verdict"]["met"]
        return found

    @property
    def complete(self) -> bool:
        """False when it was interrupted."""
        return self._run.complete

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """A row a metric and statistic (the index; "" where a metric is one number): value, low and high of
        its confidence interval, n samples, unit, definition. `metrics.loc["ttft_s", "p99"]`.
        """
        from simulator.api import frames

        return frames.metrics(self.summary)

    def value(self, name: str) -> float | None:
        """One figure by its dotted name, "ttft_s.p99" (seconds) or "goodput" (1/s); None where it does not
        exist. Raises InputError with the nearest name.
        """
        metric, _, key = name.partition(".")
        entry = self.summary["metrics"].get(metric, {})
        if metric not in self.summary["metrics"]:
            raise InputError(unknown("value", "metric", metric, self.summary["metrics"]))
        if (key or "value") not in entry:
            known = [
                f"{metric}.{found}" for found in entry if found not in ("unit", "definition", "interval")
            ]
            allowed = metric if "value" in entry else ", ".join(known)
            raise InputError(Problem("value", f"no statistic {name!r}", allowed))
        found: float | None = entry[key or "value"]
        return found

    def table(self, name: str = "requests") -> pa.Table:
        """requests, timeline or steps as an Arrow table, without a copy; its columns are the frames'."""
        if name not in TABLES:
            raise InputError(unknown("table", "table", name, TABLES))
        found = getattr(self._run, name)
        if found is None:
            raise InputError(Problem("table", "the run kept no steps", "run(…, steps=True)"))
        return found

    @cached_property
    def requests(self) -> pd.DataFrame:
        """A row a request [n], in order of arrival: the workload's columns, sent_s, ttft_s, tpot_s, e2e_s and
        the parts that sum to it exactly (s), emitted, hit_tokens, preemptions, state, replica. NaN: did not
        happen. docs/run-folder.md has every column.
        """
        return self._frame("requests")

    @cached_property
    def timeline(self) -> pd.DataFrame:
        """A row per replica and time bin: start_s, width_s (s), running, waiting (requests), kv_use, busy,
        mfu, mbu (shares), prefill, decode and mixed share of busy time.
        """
        return self._frame("timeline")

    @cached_property
    def steps(self) -> pd.DataFrame:
        """A row a run of equal steps, if they were kept (`run(…, steps=True)`): times (s), tokens, blocks."""
        return self._frame("steps")

    def _frame(self, name: str) -> pd.DataFrame:
        from simulator.api import frames

        return frames.frame(self.table(name))

    def save(self, directory: str | os.PathLike[str] = "reports") -> Path:
        """Writes the run folder directory/<scenario>-<hash> as `sim run --out directory` does; its path.

        A partial run goes to …-partial. Raises InputError if something else of that name is there.
        """
        from simulator.report.run_folder import keep

        return keep(self._run, self.summary, Path(directory))

    def __repr__(self) -> str:
        return f"<Result of {self.scenario.name}>\n{self.verdict}\n{page.plain(*self._latencies())}"

    def _repr_html_(self) -> str:
        from simulator.report import terminal

        lines = [page.line(self.verdict)]
        lines += [page.line(f"{name}: {text}") for name, text in self.summary["verdict"]["limits"].items()]
        rates = [page.line(text) for text in terminal.rates(self.summary)]
        return page.block(f"Result of {self.scenario.name}", *lines, page.table(*self._latencies()), *rates)

    def _latencies(self) -> tuple[list[str], list[list[str]]]:
        from simulator.report import terminal

        return terminal.latency_cells(self.summary)
