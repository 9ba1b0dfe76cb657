"""The verdict on a comparison, in sentences that carry their uncertainty."""

from __future__ import annotations

from typing import Any

HEADLINES = {"TTFT": "ttft_s", "TPOT": "tpot_s"}
KEYS = ("p99", "p95", "p90", "mean")  # the first that a change is known of
COST = "usd_per_million_tokens"
MANIFOLD = 10  # a change to so many times as much is told as a factor
SAME_COST = 0.005  # relative: less is no difference in a price


def verdict(document: dict[str, Any]) -> dict[str, Any]:
    """sentences: one a comparison, what is said of saturation and of the SLO first; words: what each
    comparison comes to; wins: in how many pairs all that is shown to be better is.
    """
    designs = {design["label"]: design for design in document["designs"]}
    partial = [] if document["complete"] else ["Interrupted: fewer runs than were asked for."]
    before = [*partial, *_saturated(document["designs"])]
    sentences = [*before, *(sentence(change) for change in document["changes"]), *_objectives(designs)]
    words = {change["to"]: word(change) for change in document["changes"]}
    return {"sentences": sentences, "words": words}


def sentence(change: dict[str, Any]) -> str:
    """Such as "b against a: TTFT p99 −38 % [−45, −30], …, same cost; better: TTFT p99 wins in 100 % of …"."""
    told = [_headline(label, found) for label, found in headlines(change).items()]
    cost = _cost(change["metrics"][COST])
    return f"{change['to']} against {change['from']}: {', '.join([*told, cost])}{_ending(change)}."


def headlines(change: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The changes that decide, by label: of the highest percentile that has an interval; none if refused."""
    found = {}
    for label, name in HEADLINES.items():
        known = [key for key in KEYS if change["metrics"][name][key] is not None]
        if known:
            found[f"{label} {known[0]}"] = change["metrics"][name][known[0]]
    return found


def word(change: dict[str, Any]) -> str:
    """better, worse, a trade, or no difference shown: by TTFT and TPOT; "" where neither is known."""
    better, worse = _sides(change)
    if better and worse:
        return "a trade"
    if not better and not worse:
        return "no difference shown" if headlines(change) else ""
    return "better" if better else "worse"


def _sides(change: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Headlines shown to be better, and to be worse."""
    shown = {label: found for label, found in headlines(change).items() if found["shown"]}
    better = [label for label, found in shown.items() if found["b"] < found["a"]]
    return better, [label for label in shown if label not in better]


def _headline(label: str, found: dict[str, Any]) -> str:
    if found["difference"]["low"] == found["difference"]["high"] == 0:
        return f"{label} equal"
    if found["relative"] is None:
        return f"{label} from {found['a']:.3g} to {found['b']:.3g} s"
    return f"{label} {percent(found)}" + ("" if found["shown"] else " (no difference shown)")


def percent(found: dict[str, Any]) -> str:
    """ "−38 % [−45, −30]": a relative change with its interval; "×25 [20, 30]" of one beyond tenfold."""
    relative = found["relative"]
    middle = found["b"] / found["a"] - 1
    if middle > MANIFOLD - 1:
        ends = ", ".join(f"{max(relative[end] + 1, 0.0):.3g}" for end in ("low", "high"))
        return f"×{middle + 1:.3g} [{ends}]"
    ends = ", ".join(signed(relative[end]) for end in ("low", "high"))
    return f"{signed(middle)} % [{ends}]"


def signed(share: float) -> str:
    """Per cent with its sign, two digits that tell."""
    value = share * 100
    places = 0 if abs(value) >= 9.95 else 1
    text = f"{abs(value):,.{places}f}"
    if float(text.replace(",", "")) == 0:
        return "0"
    return ("−" if value < 0 else "+") + text


def _cost(found: dict[str, Any] | None) -> str:
    if found is None or not found["a"]:
        return "cost not known"
    change = found["b"] / found["a"] - 1
    return "same cost" if abs(change) < SAME_COST else f"cost {signed(change)} % a token"


def _ending(change: dict[str, Any]) -> str:
    """What it comes to, and in how many pairs."""
    found = word(change)
    better, worse = _sides(change)
    if not better and not worse:
        return f"; {found}" if found else ""
    known = headlines(change)
    won = [_wins(label, known[label]["wins"]) for label in (*better, *worse) if known[label]["wins"]]
    if not won:
        return f"; {found}"
    return f"; {found}: {won[0]} of {change['pairs']}" + "".join(f", {share}" for share in won[1:])


def _wins(label: str, wins: dict[str, Any]) -> str:
    """The share of pairs in which a headline is better, with Wilson's interval."""
    share = wins["share"]
    won = wins["wins"] / share["n"]
    return f"{label} wins in {won * 100:.0f} % [{share['low'] * 100:.0f}, {share['high'] * 100:.0f}]"


def _saturated(designs: list[dict[str, Any]]) -> list[str]:
    """Designs without a steady state, each with its rates."""
    return [
        f"{design['label']} is saturated: {queue['offered_per_s']:.4g} requests/s arrive, "
        f"{queue['served_per_s']:.4g} are served, so its latencies have no steady value and are not compared."
        for design in designs
        for queue in [design["saturation"]]
        if queue["saturated"]
    ]


def _objectives(designs: dict[str, dict[str, Any]]) -> list[str]:
    """Which designs keep the SLO, as far as the intervals tell."""
    kept = {label: meets(design) for label, design in designs.items() if design["slo"]}
    if not kept:
        return []
    told = []
    for met, one, many in (
        (True, "meets", "meet"),
        (False, "misses", "miss"),
        (None, "may miss", "may miss"),
    ):
        labels = [label for label in kept if kept[label] is met]
        if labels:
            told.append(f"{' and '.join(labels)} {one if len(labels) == 1 else many} the SLO")
    return [", ".join(told) + "."]


def meets(design: dict[str, Any]) -> bool | None:
    """Whether the SLO is met; None where the interval of the attainment has the bound in it."""
    if design["saturation"]["saturated"]:
        return False
    met: bool | None = design["verdict"]["met"]
    interval = design["metrics"]["attainment"]["interval"]
    bound = design["slo"]["attainment"]
    if interval is None or met is None:
        return met
    return None if interval["low"] < bound <= (interval["high"] or 1.0) else met
