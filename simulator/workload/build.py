"""The one way from a scenario's workload to its columns."""

from __future__ import annotations

import os
from dataclasses import replace

from simulator.errors import InputError, Problem
from simulator.scenario.resolved import WorkloadSpec
from simulator.units import MAX_TIME_S
from simulator.workload import transform
from simulator.workload.bootstrap import bootstrap, sessions
from simulator.workload.columns import Workload
from simulator.workload.parse import parse
from simulator.workload.reading import read_lengths, read_trace
from simulator.workload.synthetic import generate


def build(spec: WorkloadSpec, seed: int, replication: int, max_model_len: int) -> Workload:
    """The requests of one replication: replication 0 of a trace is the trace, others resample its sessions.

    Raises InputError for what is wrong with the trace or the synthetic's parameters, and for requests over
    max_model_len unless spec.over_limit says what to do with them.
    """
    load = _trace(spec) if spec.trace is not None else _synthetic(spec, seed, replication)
    if spec.slice_s is not None:
        load = transform.window(load, *spec.slice_s)
    if spec.limit is not None:
        load = transform.limit(load, spec.limit)
    if not len(load):
        raise InputError(Problem("workload", "no request is left in the slice asked for"))
    load = transform.fit_model(load, max_model_len, spec.over_limit)
    load = transform.rate_scale(load, spec.rate_scale)
    if not load.arrival_s[-1] < MAX_TIME_S:
        days = load.arrival_s[-1] / 86400
        raise InputError(Problem("workload", f"arrivals last {days:.4g} days", "under 97 days"))
    if spec.trace is None or replication == 0:
        return load
    if sessions(load) < 2:
        what = "the trace is one session: drawn anew, each replication would be the same, and look certain"
        raise InputError(Problem("run.replications", what, "1, or a trace of several sessions"))
    return bootstrap(load, seed, replication)


def _trace(spec: WorkloadSpec) -> Workload:
    assert spec.trace is not None
    return read_trace(spec.trace, spec.format, spec.format_options, skip_bad_rows=spec.skip_bad_rows)


def _synthetic(spec: WorkloadSpec, seed: int, replication: int) -> Workload:
    synthetic = parse(spec.synthetic)
    if spec.limit is not None and spec.limit < synthetic.requests:
        synthetic = replace(synthetic, requests=spec.limit)
    _fits_here(synthetic.requests)
    return generate(synthetic, seed, replication, read_lengths)


REQUEST_BYTES = 900  # of this process at its largest, a request: docs/performance.md, a million


def _fits_here(requests: int) -> None:
    """Raises InputError for more requests than this machine's memory can hold the results of."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if requests * REQUEST_BYTES > memory:
        what = f"{requests:,} requests take {requests * REQUEST_BYTES / 1e9:,.0f} GB"
        allowed = f"up to {memory // REQUEST_BYTES:,} on this machine of {memory / 1e9:,.0f} GB"
        raise InputError(
            Problem("workload.synthetic.requests", what, allowed, "workload.limit takes the first")
        )
