"""A comparison of two runs, or of a run with a measurement, in a sentence or two."""

from __future__ import annotations

from typing import Any

from simulator.study.compare_verdict import signed

NAMES = {"ttft_s": "TTFT", "tpot_s": "TPOT", "e2e_s": "E2E"}
TOLD = {"ttft_s": "p99", "tpot_s": "p99", "e2e_s": "p99"}
MOST_KEYS = 3


def verdict(document: dict[str, Any]) -> str:
    """One sentence of what changes, one of why: what the scenarios do differently."""
    if not any(entry for metric in document["metrics"].values() for entry in metric.values()):
        return "Nothing to compare: no request that counts finished on both sides."
    if document["measured"]:
        return _errors(document)
    if _identical(document):
        differ = f"; {_keys(document)}" if document["scenario"] else ""
        return f"No difference: every request has the same latencies in both{differ}."
    changes = [
        f"{NAMES[name]} {key} {change(entry)}"
        for name, key in TOLD.items()
        if (entry := document["metrics"][name][key]) is not None
    ]
    rate = document["rates"].get("output_throughput")
    if rate:
        more = signed(rate["relative"])
        changes.append("same output tokens/s" if more == "0" else f"output tokens/s {more} %")
    sentence = f"{document['b']['name']} against {document['a']['name']}: {', '.join(changes)}"
    return f"{sentence}{_wins(document)}.{_saturated(document)} {_keys(document).capitalize()}."


def change(entry: dict[str, Any]) -> str:
    """ "−38 % [−45, −30]": a relative change with its interval, if there is one."""
    if entry["relative"] is None:
        return "not known"
    interval = entry["interval"]
    ends = f" [{signed(interval['low'])}, {signed(interval['high'])}]" if interval else ""
    return f"{signed(entry['relative'])} %{ends}"


def _identical(document: dict[str, Any]) -> bool:
    pairs = document["requests"]
    return bool(pairs) and all(one["equal"] == 1 for one in pairs.values())


def _wins(document: dict[str, Any]) -> str:
    pairs = document["requests"]
    if not pairs or "ttft_s" not in pairs:
        return ""
    first = pairs["ttft_s"]
    return f"; {first['faster'] * 100:.0f} % of {first['n']:,} requests get their first token sooner"


def _saturated(document: dict[str, Any]) -> str:
    names = [document[side]["name"] for side in "ab" if document[side]["saturated"]]
    return f" {' and '.join(names)}: saturated, so latencies grow with the run's length." if names else ""


def _keys(document: dict[str, Any]) -> str:
    entries = document["scenario"]
    if not entries:
        same = (
            "the scenarios are the same"
            if document["paired"]
            else "the scenarios are the same, the requests not"
        )
        return same
    shown = [f"{one['key']} {told(one['a'])} → {told(one['b'])}" for one in entries[:MOST_KEYS]]
    more = f" and {len(entries) - MOST_KEYS} more keys" if len(entries) > MOST_KEYS else ""
    asked = "" if document["paired"] else "; they were asked for different requests, so nothing is paired"
    return f"they differ in {', '.join(shown)}{more}{asked}"


def told(value: Any) -> str:
    """A value of a scenario, short; a dash for a key that is not there."""
    if value is None:
        return "–"
    if isinstance(value, dict):
        return "there"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _errors(document: dict[str, Any]) -> str:
    """What the simulation is off by: means first, since they are what runs repeat best."""
    parts = []
    for name, label in NAMES.items():
        mean, tail = document["metrics"][name]["mean"], document["metrics"][name]["p99"]
        if mean is not None and mean["error"] is not None:
            parts.append(f"{label} {signed(mean['error'])} % (p99 {signed(tail['error'])} %)")
    rate = document["rates"].get("output_throughput")
    parts += [f"output tokens/s {signed(rate['error'])} %"] if rate else []
    sides = [document[side]["counted"] for side in "ab"]
    paired = (
        f"{sides[0]:,} requests, pair by pair"
        if document["paired"]
        else f"{sides[0]:,} and {sides[1]:,} requests"
    )
    same = "" if document["paired"] else "; they are not the same requests, so only distributions compare"
    return f"Simulated against measured, means: {', '.join(parts)}, over {paired}{same}."
