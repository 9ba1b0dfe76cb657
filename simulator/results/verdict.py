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
    if gaps is not None and gaps < slo["attainment"]:
        return False
    return None if too_few(attained, slo, summary["confidence"]) else bool(attained >= slo["attainment"])


def too_few(attained: float, slo: dict[str, Any], confidence: float) -> bool:
    """Whether the requests are too few to tell if the SLO is met: even if all of them had kept it, it might
    not be, and so many as have kept it might have if it is.
    """
    n, asked = slo["requests"], slo["attainment"]
    return n < needed(asked, confidence) and not _refuted(round((1 - attained) * n), n, 1 - asked, confidence)


def needed(attainment: float, confidence: float) -> int:
    """Requests that all must keep the SLO to show an attainment: the one-sided interval of Clopper and
    Pearson for n of n begins at (1 − confidence)^(1/n). An attainment of 1 no number shows: the run's own
    requests will do.
    """
    return math.ceil(math.log(1 - confidence) / math.log(attainment) - 1e-9) if attainment < 1 else 0


def _refuted(missed: int, n: int, allowed: float, confidence: float) -> bool:
    """Whether so many misses of n, or more, have a chance under 1 − confidence where `allowed` may miss."""
    term = (1 - allowed) ** n  # of no miss; over 1 − confidence, as n is under what is needed
    fewer = 0.0
    for k in range(missed):
        fewer += term
        term *= (n - k) / (k + 1) * allowed / (1 - allowed)
    return 1 - fewer < 1 - confidence


def _sentence(summary: dict[str, Any], met: bool | None) -> str:
    slo, queue = summary["slo"], summary["saturation"]
    partial = "" if summary["complete"] else "Partial run. "
    if queue["saturated"]:
        over = f"{queue['offered_per_s']:.4g} requests/s arrive, {queue['served_per_s']:.4g} are served"
        return f"{partial}Saturated: {over}; the queue grows without end" + (
            ", so the SLO is missed." if slo else "."
        )
    attained = summary["metrics"]["attainment"]["value"]
    if met is None and slo and attained is not None:
        least = needed(slo["attainment"], summary["confidence"])
        return (
            f"{partial}Too few requests to judge the SLO by: {_share(slo, attained)}; "
            f"{_percent(slo['attainment'])} takes {least:,} at {summary['confidence'] * 100:g} % confidence."
        )
    if met is None:
        done = summary["metrics"]["request_throughput"]["value"]
        served = f"Serves {done:.4g} requests/s; no SLO to judge by." if done is not None else ""
        return f"{partial}{served if slo is None and served else 'Nothing that counts finished.'}"
    share = _share(slo, attained)
    asked = f"{_percent(slo['attainment'])} asked"
    if met:
        return f"{partial}Meets the SLO: {share} ({asked})."
    worst = min(slo["kept"], key=lambda name: slo["kept"][name] or 0.0)
    missing = f"{_LABELS[worst]} is kept by {_percent(slo['kept'][worst] or 0.0)}"
    return f"{partial}Misses the SLO: {share} ({asked}); {missing}."


def _share(slo: dict[str, Any], attained: float) -> str:
    """What the verdict rests on."""
    bounds = " and ".join(f"{_LABELS[name]} ≤ {_duration(bound)}" for name, bound in slo["bounds"].items())
    of = f"{slo['requests']:,} requests" if slo["requests"] != 1 else "1 request"
    return f"{_percent(attained)} of {of} keep{'s' * (slo['requests'] == 1)} {bounds}"


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
    many = f"{times:.2g}" if times < 99.5 else f"{float(f'{times:.2g}'):,.0f}"
    return f"; {'saturated' if times < 1 else 'saturates'} at {many} × this traffic{by}"


def _round(share: float) -> str:
    return f"{share * 100:.0f} %" if share >= 0.01 else f"{share * 100:.1g} %"


def _percent(share: float) -> str:
    """Rounded down, so that 100 % means all."""
    places = 100 if share > 0.9 else 10
    return f"{math.floor(share * 100 * places + 1e-9) / places:g} %"


def _duration(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1e3:g} ms"
