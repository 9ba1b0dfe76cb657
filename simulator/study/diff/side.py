"""One side of a comparison: requests as columns, whether they were simulated or measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simulator import arrow
from simulator.results.columns import codes
from simulator.results.folder import SavedRun
from simulator.results.parts import WATERFALL
from simulator.results.record import FINISHED, STATES

Floats = NDArray[np.floating[Any]]

LATENCIES = ("ttft_s", "tpot_s", "e2e_s")


@dataclass(frozen=True, slots=True)
class Side:
    """Requests in the order of their file [n]: seconds, NaN for what is not known; done: which finished.

    parts: of the waterfall, of a simulated run; itl: statistics of the gaps in seconds, {} where they are not
    known; cut_s: the warm-up's end; run: what the folder holds, None of a measurement; replication: that of
    each request, None where there is one.
    """

    name: str
    arrival_s: Floats
    prompt_tokens: Floats
    output_tokens: Floats
    latencies: dict[str, Floats]
    done: NDArray[np.bool_]
    parts: dict[str, Floats] = field(default_factory=dict)
    itl: dict[str, float] = field(default_factory=dict)
    cut_s: float = 0.0
    run: SavedRun | None = None
    replication: NDArray[np.int64] | None = None

    def rates(self, rows: NDArray[np.bool_]) -> dict[str, float]:
        """Requests and output tokens a second of some requests, from the first arrival to the last answer: of
        each replication's own time, for they all begin at 0.
        """
        some = rows & self.done & ~np.isnan(self.latencies["e2e_s"])
        if not some.any():
            return {}
        begins = self.arrival_s[some]
        ends = begins + self.latencies["e2e_s"][some]
        of = np.zeros(len(begins), np.int64) if self.replication is None else self.replication[some]
        seconds = sum(float(ends[of == one].max() - begins[of == one].min()) for one in np.unique(of))
        amounts = {
            "request_throughput": float(some.sum()),
            "output_throughput": float(self.output_tokens[some].sum()),
        }
        return {name: amount / seconds for name, amount in amounts.items()} if seconds > 0 else {}


def simulated(run: SavedRun) -> Side:
    """All replications of a run, one after the other."""
    table = run.requests
    columns = {name: arrow.values(table[name]) for name in ("sent_s", "prompt_tokens", "emitted", *LATENCIES)}
    itl = run.summary["metrics"]["itl_s"]
    return Side(
        name=run.summary["scenario"]["name"],
        arrival_s=columns["sent_s"],
        prompt_tokens=columns["prompt_tokens"].astype(float),
        output_tokens=columns["emitted"].astype(float),
        latencies={name: columns[name] for name in LATENCIES},
        done=codes(table["state"], STATES) == FINISHED,
        parts={name: arrow.values(table[name]) for name in WATERFALL},
        itl={key: itl[key] for key in ("mean", "p50", "p90", "p95", "p99") if itl.get(key) is not None},
        cut_s=run.summary["warmup"]["cut_s"],
        run=run,
        replication=arrow.values(table["replication"]),
    )


def asked(run: SavedRun) -> pa.Table:
    """What a run was asked for: the workload's own columns, all that stand before the time of sending."""
    names = run.requests.column_names
    return run.requests.select(names[: names.index("sent_s")])
