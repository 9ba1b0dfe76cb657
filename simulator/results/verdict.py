"""The verdict on a run, in a sentence, and what limits each pool."""

from __future__ import annotations

import math
from typing import Any

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
        done = f"{summary['metrics']['request_throughput']['value']:.4g} requests/s"
        return (
            f"{partial}Serves {done}; no SLO to judge by." if slo is None else f"{partial}Nothing finished."
        )
    bounds = " and ".join(f"{_LABELS[name]} ≤ {_duration(bound)}" for name, bound in slo["bounds"].items())
    share = f"{_percent(summary['metrics']['attainment']['value'])} of requests keep {bounds}"
    asked = f"{_percent(slo['attainment'])} asked"
    if met:
        return f"{partial}Meets the SLO: {share} ({asked})."
    worst = min(slo["kept"], key=lambda name: slo["kept"][name] or 0.0)
    missing = f"{_LABELS[worst]} is kept by {_percent(slo['kept'][worst] or 0.0)}"
    return f"{partial}Misses the SLO: {share} ({asked}); {missing}."


def limit(pool: dict[str, Any]) -> str:
    """What a pool would run into first, by the figures of its steps."""
    if not pool["busy"]:
        return "idle"
    if pool["waiting"] > pool["running"] * 0.05 and pool["kv_peak"] > 0.95:
        return f"short of KV blocks, {_percent(pool['kv_peak'])} in use at the fullest"
    if pool["batch_size"] > 0.9 * pool["max_num_seqs"]:
        return f"at max_num_seqs, {pool['batch_size']:.0f} of {pool['max_num_seqs']} sequences run"
    if not pool["mfu"] or pool["mbu"] is None:
        return "given step times"
    compute, memory = pool["mfu"] / pool["busy"], pool["mbu"] / pool["busy"]
    figures = f"MFU {_percent(compute)}, MBU {_percent(memory)} of busy time"
    return f"bound by {'compute' if compute > memory else 'bandwidth'}, {figures}"


def _percent(share: float) -> str:
    """Rounded down, so that 100 % means all."""
    places = 100 if share > 0.9 else 10
    return f"{math.floor(share * 100 * places + 1e-9) / places:g} %"


def _duration(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1e3:g} ms"
