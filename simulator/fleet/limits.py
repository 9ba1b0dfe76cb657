"""How near each pool came to its limits: its steps, its ports, and what full batches could have done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.cost.pipeline import Cycle
from simulator.cost.work import Work
from simulator.fleet.build import Priced
from simulator.fleet.demand import Demand, Room, Step, full_steps, relieved, seconds, shares
from simulator.fleet.fleet import Transfer
from simulator.fleet.link import Port
from simulator.results.limits import LINK, PoolLimits
from simulator.results.record import Recorder
from simulator.results.totals import KINDS, Sums


@dataclass(frozen=True, slots=True)
class Times:
    """arrivals_s: from the first request sent to the last; elapsed_s: from the run's start to its end."""

    arrivals_s: float
    elapsed_s: float


def limits(
    priced: list[Priced], recorder: Recorder, transfer: Transfer | None, elapsed_s: float
) -> dict[str, PoolLimits]:
    """Of each pool, over the whole run. transfer: None where nothing is handed over."""
    recorder.flush_steps()
    recorder.flush_requests()
    sent = recorder.sent_s[recorder.sent_s <= elapsed_s]  # a run that is cut short does no work of later ones
    times = Times(float(np.ptp(sent)) if len(sent) else 0.0, elapsed_s)
    found, first = {}, 0
    for pool in priced:
        indices = range(first, first + pool.spec.engines)
        found[pool.spec.name] = _limits(pool, recorder, indices, _ports(pool, indices, transfer), times)
        first += pool.spec.engines
    return found


def _ports(pool: Priced, indices: range, transfer: Transfer | None) -> list[Port]:
    """Those that the pool's transfers pass; data-parallel ranks of a replica share one."""
    if transfer is None:
        return []
    side = transfer.out if pool.spec.role == "prefill" else transfer.into
    return list({id(side[index]): side[index] for index in indices}.values())


def _limits(pool: Priced, recorder: Recorder, indices: range, ports: list[Port], times: Times) -> PoolLimits:
    sums = recorder.totals.of(indices)
    busy = float(sums.seconds.sum())
    carried = sum(port.moved for port in ports) / (sum(port.bytes_per_s for port in ports) or 1.0)
    demand = _demand(recorder, sums, indices)
    loads: tuple[float | None, dict[str, float]] = (None, {})
    if times.arrivals_s:
        loads = _loads(pool, demand, carried / times.arrivals_s, times.arrivals_s * len(indices))
    return PoolLimits(
        bounds=shares(pool.cost, _mean_steps(sums)),
        full_steps=float(sums.full.sum()) / busy if busy else 0.0,
        link_busy=sum(port.busy_s for port in ports) / len(ports) / times.elapsed_s if ports else None,
        link_use=carried / times.elapsed_s if ports else None,
        load=loads[0],
        load_with=loads[1],
    )


def _loads(pool: Priced, demand: Demand, link: float, available_s: float) -> tuple[float, dict[str, float]]:
    """The load of the steps or of the link, whichever is more; and with twice as much of each resource."""
    args, stages = pool.spec.engine, pool.spec.layout.pipeline_parallel_size
    seqs = args.max_num_seqs if args.max_num_active_seqs is None else args.max_num_active_seqs
    # A full pipeline has as many batches as stages, which share the places and the blocks.
    room = Room(
        (pool.blocks - 1) / stages, args.block_size, seqs / stages,
        args.max_num_batched_tokens, args.max_model_len,
    )  # fmt: skip
    cost = Cycle(pool.cost, stages) if stages > 1 else pool.cost
    steps = seconds(cost, full_steps(demand, room)) / available_s
    more = relieved(cost, demand, room)
    load_with = {name: max(spent / available_s, link) for name, spent in more.items()}
    return max(steps, link), load_with | ({LINK: max(steps, link / 2)} if link else {})


def _demand(recorder: Recorder, sums: Sums, indices: range) -> Demand:
    columns = recorder.columns()
    here = (columns["replica"] >= indices.start) & (columns["replica"] < indices.stop)
    before = (columns["prefill_replica"] >= indices.start) & (columns["prefill_replica"] < indices.stop)
    started = ~np.isnan(columns["first_scheduled_s"])
    decodes = float(sums.decodes.sum())
    return Demand(
        prompts=max(float(((here | before) & started).sum()), 1.0),
        tokens=float(sums.tokens.sum()),
        pairs=float(sums.pairs.sum()),
        answers=max(float((here & started).sum()), 1.0),
        decodes=decodes,
        keys=float(sums.context.sum()) / decodes if decodes else 0.0,
    )


def _mean_steps(sums: Sums) -> list[Step]:
    """Of each kind of step the mean one, as often as it takes for the time that the kind took."""
    return [
        Step(_mean_work(Sums._make(field[kind] for field in sums)), float(sums.steps[kind]))
        for kind in KINDS
        if sums.steps[kind]
    ]


def _mean_work(sums: Sums) -> Work:
    decodes = round(float(sums.decodes / sums.steps))
    if sums.decodes and not decodes:
        decodes = 1
    keys = round(float(sums.context / sums.decodes) * decodes) if decodes else 0
    if not sums.chunks:
        return Work(decodes, keys, (), decodes)
    parts = max(round(float(sums.chunks / sums.steps)), 1)
    size = max(round(float(sums.tokens / sums.steps) / parts), 1)
    context = max((float(sums.pairs / sums.chunks) - size * (size + 1) / 2) / size, 0.0)
    return Work(decodes, keys, ((size, round(context)),) * parts, decodes + parts)
