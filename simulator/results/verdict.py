"""The verdict on a run, in a sentence, and what limits each pool."""

from __future__ import annotations

import math
from typing import Any

from simulator.results.limits import BANDWIDTH, BUDGET, COMPUTE, INTERCONNECT, KV, LINK, OVERHEAD, SEQS

_LABELS = {"ttft_s": "TTFT", "tpot_s": "TPOT", "itl_s": "ITL", "e2e_s": "E2E"}


def judge(summary: dict[str, Any]) -> dict[str, Any]:
    """met: whether the SLO holds, None if there is none or nothing finished; sentence; limits: one a pool."""
    met = slo_met(summary)
    limits = {name: limit(pool) for name, pool in summary["pools"].items()}
    return {"met": met, "sentence": _sentence(summary, met), "limits": limits}


def slo_met(summary: dict[str, Any]) -> bool | None:
    """A saturated run meets no objective: its latencies have no bound."""
    slo = summary["slo"]
    if slo is None:
        return None
    if summary["saturation"]["saturated"]:
        return False
    attained = summary["metrics"]["attainment"]["value"]
    if attained is None:
        return None
    gaps = slo["kept"].get("itl_s")
    return bool(attained >= slo["attainment"] and (gaps is None or gaps >= slo["attainment"]))


def _sentence(summary: dict[str, Any], met: bool | None) -> str:
    slo, queue = summary["slo"], summary["saturation"]
    partial = "" if summary["complete"] else "Partial run. "
    if queue["saturated"]:
        over = f"{queue['offered_per_s']:.4g} requests/s arrive, {queue['served_per_s']:.4g} are served"
        return f"{partial}Saturated: {over}; the queue grows without end" + (
            ", so the SLO is missed." if slo else "."
        )
    if met is None:
        done = summary["metrics"]["request_throughput"]["value"]
        served = f"Serves {done:.4g} requests/s; no SLO to judge by." if done is not None else ""
        return f"{partial}{served if slo is None and served else 'Nothing that counts finished.'}"
    bounds = " and ".join(f"{_LABELS[name]} ≤ {_duration(bound)}" for name, bound in slo["bounds"].items())
    share = f"{_percent(summary['metrics']['attainment']['value'])} of requests keep {bounds}"
    asked = f"{_percent(slo['attainment'])} asked"
    if met:
        return f"{partial}Meets the SLO: {share} ({asked})."
    worst = min(slo["kept"], key=lambda name: slo["kept"][name] or 0.0)
    missing = f"{_LABELS[worst]} is kept by {_percent(slo['kept'][worst] or 0.0)}"
    return f"{partial}Misses the SLO: {share} ({asked}); {missing}."


WORDS = {
    COMPUTE: "compute",
    BANDWIDTH: "bandwidth",
    INTERCONNECT: "the interconnect of its accelerators",
    OVERHEAD: "the engine's overhead",
    KV: "KV capacity",
    SEQS: "max_num_seqs",
    BUDGET: "the token budget",
    LINK: "the transfer link",
}


def limit(pool: dict[str, Any]) -> str:
    """What limits a pool, the figure that shows it, how far saturation is, and what would help."""
    limits = pool["limits"]
    binds = limits["binds"]
    if not binds or pool["busy"] is None:
        return "idle"
    if not pool["mfu"] or pool["mbu"] is None:
        return f"step times are given, busy {_round(pool['busy'])} of the time{_room(limits, '')}"
    then = limits["then"] if limits["then"] != binds else ""
    found = f"bound by {WORDS[binds]}, {_figure(pool, binds)}{_room(limits, then)}"
    return f"{found}. Helps: {limits['relief'][binds]}"


def _figure(pool: dict[str, Any], binds: str) -> str:
    """What shows that it is."""
    share = _round(pool["limits"]["shares"][binds])
    if binds == KV:
        return f"{share} of the time without blocks to spare"
    if binds == SEQS:
        return f"{share} of the time at {pool['max_num_seqs']} sequences"
    if binds == LINK:
        return f"{share} of the time with a transfer"
    if binds == BUDGET:
        return f"{share} of busy time in steps that use all of it"
    compute, memory = pool["mfu"] / pool["busy"], pool["mbu"] / pool["busy"]
    return f"{share} of busy time (MFU {_round(compute)}, MBU {_round(memory)})"


def _room(limits: dict[str, Any], then: str) -> str:
    """How far saturation is: how many times this traffic; and what else limits the pool there."""
    if not limits["load"]:
        return ""
    times = 1 / limits["load"]
    by = f" by {WORDS[then]}" if then else ""
    return f"; {'saturated' if times < 1 else 'saturates'} at {times:.2g} × this traffic{by}"


def _round(share: float) -> str:
    return f"{share * 100:.0f} %" if share >= 0.01 else f"{share * 100:.1g} %"


def _percent(share: float) -> str:
    """Rounded down, so that 100 % means all."""
    places = 100 if share > 0.9 else 10
    return f"{math.floor(share * 100 * places + 1e-9) / places:g} %"


def _duration(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1e3:g} ms"
